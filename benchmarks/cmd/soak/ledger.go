package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// outcome is the outcome of a change, as the client has reported it.
type outcome int

const (
	failed  outcome = iota // the change was not made
	done                   // the change was made
	unknown                // the change was made or not
)

// span is a range of numbers, of which the difference is the number of unknown outcomes.
type span struct{ min, max int }

// add adds n times an outcome.
func (s *span) add(o outcome, n int) {
	if o == done {
		s.min += n
	}
	if o != failed {
		s.max += n
	}
}

func (s span) String() string {
	if s.min == s.max {
		return fmt.Sprint(s.min)
	}
	return fmt.Sprintf("%d to %d", s.min, s.max)
}

// object is what is known of an object of the workspace.
type object struct {
	kind    *kind
	name    string // of this object only
	id      string // empty if the outcome of the creation is unknown
	present span
	version span
	values  []string // one of them is the current one
	open    bool     // an outcome is unknown: no change follows before the next check
}

// entry identifies the entries of a changelog about one change of an object.
type entry struct {
	resource promptrails.ResourceType
	name     string
	action   promptrails.ChangelogAction
}

// ledger has the outcomes of all changes of a workspace since the last check, and the
// objects that exist. It is bounded, because a check removes what is settled.
type ledger struct {
	mu      sync.Mutex
	objects map[string]*object // by name
	entries map[entry]span
}

func newLedger() *ledger {
	return &ledger{objects: map[string]*object{}, entries: map[entry]span{}}
}

// pick returns a random object of a kind that can be changed, or nil, and the number of
// objects of the kind.
func (l *ledger) pick(k *kind, random *rand.Rand) (o *object, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var free []*object
	for _, o := range l.objects {
		if o.kind != k || o.present.max == 0 {
			continue
		}
		n++
		if !o.open {
			free = append(free, o)
		}
	}
	if len(free) == 0 {
		return nil, n
	}
	slices.SortFunc(free, func(a, b *object) int { return strings.Compare(a.name, b.name) })
	return free[random.IntN(len(free))], n
}

// created notes the outcome of a creation.
func (l *ledger) created(k *kind, name, id, value string, was outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if was == failed {
		return
	}
	o := &object{kind: k, name: name, id: id, version: span{k.created, k.created}, values: []string{value}, open: was == unknown}
	o.present.add(was, 1)
	l.objects[name] = o
	l.expect(name, k.creates, was)
}

// updated notes the outcome of a change to a value.
func (l *ledger) updated(o *object, value string, was outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.version.add(was, 1)
	switch was {
	case done:
		o.values = []string{value}
	case unknown:
		o.values, o.open = append(o.values, value), true
	case failed:
	}
	l.expect(o.name, []change{o.kind.updates}, was)
}

// deleted notes the outcome of a deletion.
func (l *ledger) deleted(o *object, was outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch was {
	case done:
		o.present = span{0, 0}
	case unknown:
		o.present.min, o.open = 0, true
	case failed:
	}
	l.expect(o.name, []change{o.kind.deletes}, was)
}

// expect adds entries to those that the changelog must have. l.mu is held.
func (l *ledger) expect(name string, changes []change, was outcome) {
	for _, c := range changes {
		e := entry{c.resource, name, c.action}
		n := l.entries[e]
		n.add(was, 1)
		l.entries[e] = n
	}
}
