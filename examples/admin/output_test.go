package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Names that others choose do not reach the terminal as control sequences.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":[{"name":"x\u001b[2J\u202e\u0007\r\nEND","slug":"\u001b[2J"}],"meta":{"total":1}}`)
	}))
	t.Cleanup(server.Close)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("pr_live_"+strings.Repeat("a", 43)), 0o600); err != nil {
		t.Fatal(err)
	}
	x := newAdmin(t)
	for _, args := range [][]string{{"credentials", "list"}, {"workspaces", "list"}, {"channels", "list"}, {"keys", "list"}, {"review", "--fail-on", "never"}} {
		got := x.run(t.Context(), "", append(args, "--url", server.URL, "--token-file", "", "--key-file", key)...)
		if strings.ContainsAny(got.stdout+got.stderr, "\x1b\u202e\u0007\r") || !strings.Contains(got.stdout, `x\x1b[2J`) {
			t.Errorf("admin %s: got %q, stderr %q, error %v; want the name escaped", strings.Join(args, " "), got.stdout, got.stderr, got.err)
		}
	}
}

// A list holds no more than the rows of a block, and its columns fit wide characters.
func TestTable(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	table := &table{out: &b}
	table.row(cell{text: "日本"}, cell{text: "x"}, cell{})
	table.row(cell{text: "a"}, cell{}, cell{text: "y"})
	if err := table.flush(); err != nil {
		t.Fatal(err)
	}
	if want := "日本  x\na        y\n"; b.String() != want {
		t.Errorf("table: got %q, want %q", &b, want)
	}
	for i := range 10 * tableRows {
		table.row(cell{text: fmt.Sprint(i)})
		if len(table.rows) >= tableRows {
			t.Fatalf("rows held after %d: got %d, want less than %d", i, len(table.rows), tableRows)
		}
	}
}
