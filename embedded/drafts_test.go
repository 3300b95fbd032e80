package embedded_test

import (
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// gate is a clock. One of its calls, made by a request within its write
// transaction, blocks until the gate is opened.
type gate struct {
	calls   atomic.Int64  // calls up to and including the one that blocks
	entered chan struct{} // closed when a call blocks
	open    chan struct{} // closed to unblock it
	asked   chan struct{} // receives a value for each other call
}

func newGate() *gate {
	return &gate{entered: make(chan struct{}), open: make(chan struct{}), asked: make(chan struct{}, 100)}
}

func (g *gate) now() time.Time {
	if g.calls.Add(-1) == 0 {
		close(g.entered)
		<-g.open
	} else {
		select {
		case g.asked <- struct{}{}:
		default:
		}
	}
	return time.Now()
}

// overlap sends the first request, which blocks at the given call of the clock,
// within its transaction. It then sends the second request, which is prepared in
// the meantime and waits for the first.
func (g *gate) overlap(call int64, first, second func()) {
	var requests sync.WaitGroup
	g.calls.Store(call)
	requests.Go(first)
	<-g.entered
	for len(g.asked) > 0 {
		<-g.asked
	}
	requests.Go(second)
	<-g.asked // the token is checked
	<-g.asked // the request is being prepared
	close(g.open)
	requests.Wait()
}

// An update is prepared before its transaction. It is prepared again if another
// request changes the object in between.
func TestPreparedUpdatesAreNotStale(t *testing.T) {
	t.Parallel()
	g := newGate()
	ada := newServer(t, embedded.Config{DSN: filepath.Join(t.TempDir(), "workspaces.db"), Now: g.now}).owner("ada@example.com", "research")
	app := "/apps/" + ada.do("POST", "/apps", `{"name":"a"}`).expect(201).text("id")
	g.overlap(
		3, // in the transaction: the token and the preparation call the clock before
		func() { ada.do("PATCH", app, `{"first":1}`).expect(200) },
		func() { ada.do("PATCH", app, `{"second":2}`).expect(200) },
	)
	if r := ada.do("GET", app, "").expect(200); !strings.Contains(r.body, `"first":1,"second":2`) {
		t.Errorf("app after two overlapping updates: got %s, want both", r.body)
	}
	// Many concurrent updates.
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() { ada.do("PATCH", app, `{"n`+string(rune('a'+i))+`":true}`).expect(200) })
	}
	writers.Wait()
	if r := ada.do("GET", app, "").expect(200); strings.Count(r.body, ":true") != 20 {
		t.Errorf("app after 20 concurrent updates: got %s, want all of them", r.body)
	}
}

// An execution is masked by the settings in effect when it is stored.
func TestPreparedExecutionsAreNotStale(t *testing.T) {
	t.Parallel()
	g := newGate()
	ada := newServer(t, embedded.Config{DSN: filepath.Join(t.TempDir(), "workspaces.db"), Now: g.now, DefaultPlan: promptrails.PlanPro}).owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	var trace string
	g.overlap(
		2, // in the transaction: the token calls the clock before
		func() { ada.do("PATCH", "/data-masking", `{"enabled":true}`).expect(200) },
		func() {
			trace = ada.do("POST", "/agents/"+agent+"/execute", `{"input":"grace@example.com"}`).expect(201).text("trace_id")
		},
	)
	if r := ada.do("GET", "/traces/"+trace, "").expect(200); strings.Contains(r.body, "grace@") {
		t.Errorf("trace: got %s, want it masked: masking was enabled when it was stored", r.body)
	}
}
