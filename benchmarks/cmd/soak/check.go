package main

import (
	"fmt"
	"slices"
)

// found is an object as the service has it.
type found struct {
	id, name, value string
	version         int64
}

// verdict is the result of a comparison of a ledger with the service.
type verdict struct {
	lost    []string // acknowledged changes that the service does not have
	doubled []string // changes that were made twice, or that were not requested
}

// check compares the ledger with the objects of the service, and with the entries of its
// changelog since the last check. No change may be running. Then the state of the
// service is that of the ledger, so that each difference is reported at one check only.
func (l *ledger) check(objects map[*kind][]found, entries map[entry]int) *verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := new(verdict)
	byName := map[string][]found{}
	for k, list := range objects {
		for _, f := range list {
			byName[f.name] = append(byName[f.name], f)
			if l.objects[f.name] == nil {
				v.doubled = append(v.doubled, fmt.Sprintf("%s %s (%s) was not created, or was deleted before", k.name, f.name, f.id))
				l.objects[f.name] = &object{kind: k, name: f.name, present: span{1, 1}, version: span{int(f.version), int(f.version)}, values: []string{f.value}}
			}
		}
	}
	for name, o := range l.objects {
		v.object(o, byName[name])
		if len(byName[name]) == 0 {
			delete(l.objects, name)
			continue
		}
		o.settle(byName[name][0])
	}
	v.changelog(l.entries, entries)
	clear(l.entries)
	return v
}

// object compares an object.
func (v *verdict) object(o *object, list []found) {
	about := o.kind.name + " " + o.name
	if len(list) < o.present.min {
		v.lost = append(v.lost, about+" was created and is not there")
	}
	if len(list) > 1 {
		v.doubled = append(v.doubled, fmt.Sprintf("%s is there %d times", about, len(list)))
	} else if len(list) > o.present.max {
		v.lost = append(v.lost, about+" was deleted and is still there")
	}
	for _, f := range list {
		if o.id != "" && f.id != o.id {
			v.doubled = append(v.doubled, fmt.Sprintf("%s has the id %s, want %s", about, f.id, o.id))
		}
		if int(f.version) < o.version.min || !slices.Contains(o.values, f.value) {
			v.lost = append(v.lost, fmt.Sprintf("%s has the version %d and the value %q, want version %v and one of %q", about, f.version, f.value, o.version, o.values))
		} else if int(f.version) > o.version.max {
			v.doubled = append(v.doubled, fmt.Sprintf("%s has the version %d, want %v", about, f.version, o.version))
		}
	}
}

// changelog compares the numbers of entries.
func (v *verdict) changelog(want map[entry]span, got map[entry]int) {
	for e, n := range want {
		if got[e] < n.min {
			v.lost = append(v.lost, fmt.Sprintf("%s %s: the changelog has %d entries %s, want %v", e.resource, e.name, got[e], e.action, n))
		}
	}
	for e, n := range got {
		if n > want[e].max {
			v.doubled = append(v.doubled, fmt.Sprintf("%s %s: the changelog has %d entries %s, want %v", e.resource, e.name, n, e.action, want[e]))
		}
	}
}

// settle takes over the state of the service.
func (o *object) settle(f found) {
	o.id, o.open = f.id, false
	o.present = span{1, 1}
	o.version = span{int(f.version), int(f.version)}
	o.values = []string{f.value}
}
