package review_test

import (
	"net/http"
	"path"
	"runtime"
	"strconv"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/review"
)

// Each holds few workspaces in memory, however many there are, and reports its
// progress after each. The test is not parallel because it measures the heap.
func TestManyWorkspaces(t *testing.T) {
	workspaces, size := 1000, int64(64<<10)
	if testing.Short() {
		workspaces = 300
	}
	w := newWorld(t, promptrails.PlanStarter)
	for n := range workspaces - 1 {
		w.create("w" + strconv.Itoa(n))
	}
	channel := `{"id":"c","name":"` + strings.Repeat("a", int(size)) + `","is_active":true}`
	client := w.through(func(r *http.Request) (*http.Response, error) {
		if path.Base(r.URL.Path) == "notification-channels" {
			return respond(r, `{"data":[`+channel+`],"meta":{"total":1,"page":1,"limit":20,"pages":1}}`), nil
		}
		return w.serve(r)
	})
	read := 0
	opts := w.options()
	opts.Progress = func(p review.Progress) {
		if read++; p.Done != read || p.Total != workspaces || p.Workspace == nil {
			t.Errorf("progress: got %d of %d with the workspace %v, want %d of %d", p.Done, p.Total, p.Workspace, read, workspaces)
		}
	}
	before, most := inUse(), int64(workspaces)*size/5
	for workspace, err := range review.Each(t.Context(), client, opts) {
		ok(t, err)
		if len(workspace.Channels) != 1 || int64(len(workspace.Channels[0].Name)) != size {
			t.Fatalf("channels: got %d, want one of %d bytes", len(workspace.Channels), size)
		}
		if read%(workspaces/10) != 0 {
			continue
		}
		if used := inUse() - before; used > most {
			t.Errorf("heap after %d workspaces of %d bytes: got %d bytes more than before, want at most %d", read, size, used, most)
		}
	}
	if read != workspaces {
		t.Errorf("workspaces: got %d, want %d", read, workspaces)
	}
	runtime.KeepAlive(w)
}

// inUse returns the number of bytes of the heap that are in use.
func inUse() int64 {
	runtime.GC()
	runtime.GC() // a pool keeps its values until the second collection
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
