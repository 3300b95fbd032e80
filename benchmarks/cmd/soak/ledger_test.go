package main

import (
	"fmt"
	"maps"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// trial is a ledger and a service that agree about an agent, until a test changes one of
// them.
type trial struct {
	kind    *kind
	ledger  *ledger
	objects []found
	entries map[entry]int
}

func newTrial() *trial {
	k := resources(promptrails.KindAgents, promptrails.ResourceAgent)
	t := &trial{kind: k, ledger: newLedger(), objects: []found{{"id", "scout", "1", 1}}, entries: map[entry]int{}}
	t.ledger.created(k, "scout", "id", "1", done)
	t.entries[t.entry(promptrails.ActionCreated)] = 1
	return t
}

func (t *trial) entry(a promptrails.ChangelogAction) entry {
	return entry{promptrails.ResourceAgent, "scout", a}
}

func (t *trial) object() *object { return t.ledger.objects["scout"] }

func (t *trial) check() *verdict {
	return t.ledger.check(map[*kind][]found{t.kind: t.objects}, maps.Clone(t.entries))
}

// Each difference between the ledger and the service is found, and is not found again.
func TestLedger(t *testing.T) {
	t.Parallel()
	updated, deleted := promptrails.ActionUpdated, promptrails.ActionDeleted
	for name, test := range map[string]struct {
		change        func(*trial)
		lost, doubled int
	}{
		"no difference":    {change: func(*trial) {}},
		"creation lost":    {change: func(x *trial) { x.objects = nil }, lost: 1},
		"entry lost":       {change: func(x *trial) { clear(x.entries) }, lost: 1},
		"both lost":        {change: func(x *trial) { x.objects = nil; clear(x.entries) }, lost: 2},
		"creation doubled": {change: func(x *trial) { x.objects = append(x.objects, found{"id2", "scout", "1", 1}) }, doubled: 2},
		"entry doubled":    {change: func(x *trial) { x.entries[x.entry(promptrails.ActionCreated)] = 2 }, doubled: 1},
		"other id":         {change: func(x *trial) { x.objects[0].id = "id2" }, doubled: 1},
		"not requested":    {change: func(x *trial) { x.objects = append(x.objects, found{"id2", "hal", "1", 1}) }, doubled: 1},
		"update lost":      {change: func(x *trial) { x.ledger.updated(x.object(), "2", done) }, lost: 2},
		"value lost": {change: func(x *trial) {
			x.ledger.updated(x.object(), "2", done)
			x.objects[0].version, x.entries[x.entry(updated)] = 2, 1
		}, lost: 1},
		"update doubled": {change: func(x *trial) {
			x.ledger.updated(x.object(), "2", done)
			x.objects[0], x.entries[x.entry(updated)] = found{"id", "scout", "2", 3}, 2
		}, doubled: 2},
		"failed update made": {change: func(x *trial) {
			x.ledger.updated(x.object(), "2", failed)
			x.objects[0], x.entries[x.entry(updated)] = found{"id", "scout", "2", 2}, 1
		}, lost: 1, doubled: 1},
		"deletion lost": {change: func(x *trial) { x.ledger.deleted(x.object(), done) }, lost: 2},
		"deleted":       {change: func(x *trial) { x.ledger.deleted(x.object(), done); x.objects = nil; x.entries[x.entry(deleted)] = 1 }},
		"unknown update made": {change: func(x *trial) {
			x.ledger.updated(x.object(), "2", unknown)
			x.objects[0], x.entries[x.entry(updated)] = found{"id", "scout", "2", 2}, 1
		}},
		"unknown update not made":   {change: func(x *trial) { x.ledger.updated(x.object(), "2", unknown) }},
		"unknown deletion not made": {change: func(x *trial) { x.ledger.deleted(x.object(), unknown) }},
		"unknown deletion made": {change: func(x *trial) {
			x.ledger.deleted(x.object(), unknown)
			x.objects = nil
			x.entries[x.entry(deleted)] = 1
		}},
		"unknown creation made": {change: func(x *trial) {
			x.ledger.created(x.kind, "hal", "", "1", unknown)
			x.objects = append(x.objects, found{"id2", "hal", "1", 1})
			x.entries[entry{promptrails.ResourceAgent, "hal", promptrails.ActionCreated}] = 1
		}},
		"unknown creation not made": {change: func(x *trial) { x.ledger.created(x.kind, "hal", "", "1", unknown) }},
		"unknown creation made twice": {change: func(x *trial) {
			x.ledger.created(x.kind, "hal", "", "1", unknown)
			x.objects = append(x.objects, found{"id2", "hal", "1", 1}, found{"id3", "hal", "1", 1})
			x.entries[entry{promptrails.ResourceAgent, "hal", promptrails.ActionCreated}] = 2
		}, doubled: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTrial()
			test.change(x)
			if v := x.check(); len(v.lost) != test.lost || len(v.doubled) != test.doubled {
				t.Errorf("check: got lost %q and doubled %q, want %d and %d", v.lost, v.doubled, test.lost, test.doubled)
			}
			x.objects = unique(x.objects)
			clear(x.entries)
			if v := x.check(); len(v.lost)+len(v.doubled) > 0 {
				t.Errorf("next check without a change: got lost %q and doubled %q, want none", v.lost, v.doubled)
			}
		})
	}
}

// unique returns the first object of each name.
func unique(objects []found) (first []found) {
	seen := map[string]bool{}
	for _, f := range objects {
		if !seen[f.name] {
			first = append(first, f)
		}
		seen[f.name] = true
	}
	return first
}

// An object with an unknown outcome is changed again only after a check.
func TestUnknownObjectsWait(t *testing.T) {
	t.Parallel()
	x := newTrial()
	random := newRandom(1, 0)
	if o, n := x.ledger.pick(x.kind, random); o == nil || n != 1 {
		t.Errorf("pick: got %v of %d, want the agent", o, n)
	}
	x.ledger.updated(x.object(), "2", unknown)
	if o, n := x.ledger.pick(x.kind, random); o != nil || n != 1 {
		t.Errorf("pick with an unknown outcome: got %v of %d, want no object of 1", o, n)
	}
	x.check()
	if o, _ := x.ledger.pick(x.kind, random); o == nil || fmt.Sprint(o.values) != "[1]" {
		t.Errorf("pick after a check: got %v, want the agent with the value of the service", o)
	}
}

// A process that uses more than its bound has grown.
func TestGrowth(t *testing.T) {
	t.Parallel()
	start := usage{Resident: 1 << 20, Heap: 1 << 20, Goroutines: 10}
	for name, test := range map[string]struct {
		end  usage
		want int
	}{
		"at the bounds": {usage{1<<20 + maxResidentGrowth, 1<<20 + maxHeapGrowth, 10 + maxGoroutineGrowth}, 0},
		"beyond them":   {usage{2<<20 + maxResidentGrowth, 2<<20 + maxHeapGrowth, 11 + maxGoroutineGrowth}, 3},
		"less":          {usage{}, 0},
	} {
		if beyond := start.growth(test.end); len(beyond) != test.want {
			t.Errorf("growth %s: got %q, want %d values", name, beyond, test.want)
		}
	}
}

// Only a fault that was on explains an error.
func TestExpectedErrors(t *testing.T) {
	t.Parallel()
	lost := &promptrails.Error{Code: promptrails.CodeUnavailable}
	full := &promptrails.Error{Status: 503, Code: promptrails.CodeUnavailable}
	for _, test := range []struct {
		err  *promptrails.Error
		on   []string
		want bool
	}{
		{lost, nil, false},
		{lost, []string{clockFault, receiverFault, diskFault}, false},
		{lost, []string{killFault}, true},
		{lost, []string{clockFault, networkFault}, true},
		{full, []string{killFault, networkFault}, false},
		{full, []string{diskFault}, true},
		{&promptrails.Error{Status: 404, Code: promptrails.CodeNotFound}, faultNames, false},
		{&promptrails.Error{Status: 500, Code: promptrails.CodeInternal}, faultNames, false},
	} {
		if got := expected(test.err, test.on); got != test.want {
			t.Errorf("expected(%v, %q): got %t, want %t", test.err, test.on, got, test.want)
		}
	}
}
