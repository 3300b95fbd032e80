package main

import (
	"bufio"
	"bytes"
	"database/sql"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/promptrails-community/promptrails-go/embedded"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, test := range []struct {
		sorted []time.Duration
		p      int
		want   time.Duration
	}{
		{nil, 50, 0},
		{hundred[:1], 50, 1},
		{hundred[:1], 99, 1},
		{hundred[:2], 50, 1},
		{hundred[:3], 50, 2},
		{hundred[:3], 99, 3},
		{hundred, 0, 1},
		{hundred, 50, 50},
		{hundred, 99, 99},
		{hundred, 100, 100},
	} {
		if got := percentile(test.sorted, test.p); got != test.want {
			t.Errorf("percentile %d of %v: got %d, want %d", test.p, test.sorted, got, test.want)
		}
	}
}

// Each field of a row has its own median.
func TestResultsMedian(t *testing.T) {
	t.Parallel()
	r := newResults()
	r.add("file", "list", sample{rate: 10, cpu: 3, p50: 1, p99: 30})
	r.add("file", "list", sample{rate: 30, cpu: 1, p50: 2, p99: 10})
	r.add("file", "list", sample{rate: 20, cpu: 2, p50: 9, p99: 20})
	want := sample{rate: 20, cpu: 2, p50: 2, p99: 20}
	if got := r.median(key{"file", "list"}); got != want {
		t.Errorf("median: got %+v, want %+v", got, want)
	}
	if got := r.median(key{"memory", "list"}); got != (sample{}) {
		t.Errorf("median of a row without samples: got %+v, want none", got)
	}
}

// Samples are compared with those of the same round.
func TestMedianRatio(t *testing.T) {
	t.Parallel()
	rate := func(s sample) float64 { return s.rate }
	of, to := []sample{{rate: 10}, {rate: 40}, {rate: 9}}, []sample{{rate: 5}, {rate: 10}, {rate: 3}}
	if got := medianRatio(of, to, rate); got != 3 {
		t.Errorf("ratio: got %v, want 3", got)
	}
	if got := medianRatio(of, []sample{{cpu: 1}}, rate); got != 0 {
		t.Errorf("ratio to a field that was not measured: got %v, want 0", got)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	got := commandLine([]string{"-for", "1s", "-postgres", "postgres://ada:secret@localhost/x?a=b", "-citus=postgres://ada:secret@localhost/y?a=b"})
	want := "go run ./measure -for 1s -postgres postgres://ada:xxxxx@localhost/x?a=b -citus=postgres://ada:xxxxx@localhost/y?a=b"
	if got != want {
		t.Errorf("command line: got %s, want %s", got, want)
	}
}

// The client reads bodies with a length and in chunks, and leaves nothing of them for
// the next response.
func TestConnection(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/short":
			_, _ = w.Write(make([]byte, 100))
		case "/chunked":
			for range 3 {
				_, _ = w.Write(make([]byte, 5000))
				_ = http.NewResponseController(w).Flush()
			}
		case "/posted":
			var body bytes.Buffer
			_, _ = body.ReadFrom(r.Body)
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write(bytes.Repeat(body.Bytes(), 2))
		default:
			http.Error(w, "no such path", http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	target := &target{Address: server.Listener.Addr().String(), Requests: map[operation]request{
		get: {Path: "/short"}, list: {Path: "/chunked"}, post: {Path: "/posted", Body: "12345"}, execute: {Path: "/missing"},
	}}
	for op, want := range map[operation]int{get: 100, list: 15000, post: 10} {
		c := dialTest(t, target, op)
		for range 3 {
			if got, err := c.do(); got != want || err != nil {
				t.Errorf("%s: got %d bytes and error %v, want %d", op, got, err, want)
			}
		}
	}
	if _, err := dialTest(t, target, execute).do(); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a missing path: got error %v, want one with 404", err)
	}
}

func dialTest(t *testing.T, to *target, op operation) *connection {
	t.Helper()
	c, err := dial(t.Context(), to, op)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// A chunk that ends early is an error.
func TestConnectionTruncated(t *testing.T) {
	t.Parallel()
	c := &connection{reader: bufio.NewReader(strings.NewReader("5\r\nabc"))}
	if size, err := c.skipChunks(); err == nil {
		t.Errorf("a chunk that ends early: got %d bytes, want an error", size)
	}
}

// The copies have all entries, and their heads have the numbers of their entries.
func TestFill(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	service, err := embedded.Open(t.Context(), config(file))
	if err != nil {
		t.Fatal(err)
	}
	filled, err := furnish(t.Context(), service)
	if err := errors.Join(err, service.Close()); err != nil {
		t.Fatal(err)
	}
	const workspaces, entries = 12, 101
	if err := fillFile(t.Context(), file, fill(filled.Floor.Workspace, workspaces, entries)); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	var copies, total, right int
	err = db.QueryRowContext(t.Context(), `SELECT count(*), sum(w.changelog_sequence),
		count(*) FILTER (WHERE w.changelog_sequence = (SELECT coalesce(max(c.sequence), 0) FROM changelog c WHERE c.workspace_id = w.id))
		FROM workspaces w JOIN members m ON m.workspace_id = w.id AND m.user_id = w.owner_id WHERE w.slug LIKE 'full-%'`).Scan(&copies, &total, &right)
	if err != nil || copies != workspaces || total != entries || right != workspaces {
		t.Errorf("got %d copies, %d entries, %d right heads and error %v; want %d, %d and %d", copies, total, right, err, workspaces, entries, workspaces)
	}
	if service, err = embedded.Open(t.Context(), config(file)); err != nil {
		t.Fatal(err)
	}
	if err := service.Close(); err != nil {
		t.Error(err)
	}
}
