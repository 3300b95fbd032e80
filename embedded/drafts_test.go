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

// gate is a clock that keeps a request, which holds the database for writing, until it
// is opened.
type gate struct {
	calls   atomic.Int64  // of the clock, until the one that is kept
	entered chan struct{} // a request is kept
	open    chan struct{}
	asked   chan struct{} // another call of the clock
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

// overtaken sends a first request, which is kept at a call of the clock, within its
// transaction, and a second one, which is prepared meanwhile and then waits for the
// first.
func (g *gate) overtaken(call int64, first, second func()) {
	var requests sync.WaitGroup
	g.calls.Store(call)
	requests.Go(first)
	<-g.entered
	for len(g.asked) > 0 {
		<-g.asked
	}
	requests.Go(second)
	<-g.asked // the token is judged
	<-g.asked // it is being prepared
	close(g.open)
	requests.Wait()
}

// An update that was prepared before its transaction is prepared again if another
// request has changed the object in between.
func TestPreparedUpdatesAreNotStale(t *testing.T) {
	t.Parallel()
	g := newGate()
	ada := newServer(t, embedded.Config{DSN: filepath.Join(t.TempDir(), "workspaces.db"), Now: g.now}).owner("ada@example.com", "research")
	app := "/apps/" + ada.do("POST", "/apps", `{"name":"a"}`).expect(201).text("id")
	g.overtaken(
		3, // after its token, and after what it prepares
		func() { ada.do("PATCH", app, `{"first":1}`).expect(200) },
		func() { ada.do("PATCH", app, `{"second":2}`).expect(200) },
	)
	if r := ada.do("GET", app, "").expect(200); !strings.Contains(r.body, `"first":1,"second":2`) {
		t.Errorf("got %s, want both updates", r.body)
	}
	// Many at the same time: none is lost.
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() { ada.do("PATCH", app, `{"n`+string(rune('a'+i))+`":true}`).expect(200) })
	}
	writers.Wait()
	if r := ada.do("GET", app, "").expect(200); strings.Count(r.body, ":true") != 20 {
		t.Errorf("got %s, want all 20 updates", r.body)
	}
}

// An execution is masked by the settings that hold when it is stored.
func TestPreparedExecutionsAreNotStale(t *testing.T) {
	t.Parallel()
	g := newGate()
	ada := newServer(t, embedded.Config{DSN: filepath.Join(t.TempDir(), "workspaces.db"), Now: g.now, DefaultPlan: promptrails.PlanPro}).owner("ada@example.com", "research")
	agent := ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	var trace string
	g.overtaken(
		2, // after its token
		func() { ada.do("PATCH", "/data-masking", `{"enabled":true}`).expect(200) },
		func() {
			trace = ada.do("POST", "/agents/"+agent+"/execute", `{"input":"grace@example.com"}`).expect(201).text("trace_id")
		},
	)
	if r := ada.do("GET", "/traces/"+trace, "").expect(200); strings.Contains(r.body, "grace@") {
		t.Errorf("got %s, want it masked: masking was on when it was stored", r.body)
	}
}
