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

	promptrails "github.com/promptrails-community/promptrails-go"
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
	x.credentials = []string{"--url", server.URL, "--key-file", key}
	for _, args := range [][]string{{"credentials", "list"}, {"workspaces", "list"}, {"channels", "list"}, {"keys", "list"}, {"review", "--fail-on", "never"}} {
		got := x.run(t.Context(), "", args...)
		if strings.ContainsAny(got.stdout+got.stderr, "\x1b\u202e\u0007\r") || !strings.Contains(got.stdout, `x\x1b[2J`) {
			t.Errorf("admin %s: got %q, stderr %q, error %v; want the name escaped", strings.Join(args, " "), got.stdout, got.stderr, got.err)
		}
	}
}

// Neither do they in the texts of changes, of confirmations and of usage.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{"id":"x","name":"n\u001b[2J\r","slug":"s\u001b[2J","email":"e\u001b[2J","plan":"p\u001b[2J","status":"active","role":"r\u001b[2J","key":"pr_live_k","prefix":"p\u001b[2J","last4":"l","period_end":"2026-01-01T00:00:00Z","limits":[],"usage":{}}}`)
	}))
	t.Cleanup(server.Close)
	x := newAdmin(t)
	x.credentials[1] = server.URL
	for _, args := range [][]string{
		{"channels", "pause", "x"},
		{"channels", "pause", "x", "--dry-run"},
		{"members", "role", "x", "user", "--dry-run"},
		{"keys", "rotate", "x", "--", "false"},
		{"workspaces", "plan", "pro"},
		{"workspaces", "rename", "New"},
		{"usage"},
		{"credentials", "check", "x"},
	} {
		got := x.run(t.Context(), "", append([]string{"-w", "x"}, args...)...)
		text := got.stdout + got.stderr
		if got.err != nil {
			text += got.err.Error()
		}
		if strings.ContainsAny(text, "\x1b\r") {
			t.Errorf("admin %s: got %q, want the names escaped", strings.Join(args, " "), text)
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

// A list ends when its output cannot be written.
func TestListEndsWithItsOutput(t *testing.T) {
	t.Parallel()
	out, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	if err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	a := &app{stdout: out, stderr: out}
	read := 0
	endless := func(yield func(*promptrails.Member, error) bool) {
		for read < 10*tableRows && yield(&promptrails.Member{Email: "a@example.com"}, nil) {
			read++
		}
	}
	if err := list(a, endless, memberColumns); err == nil || read > tableRows {
		t.Errorf("list to a closed file: got error %v after %d items, want an error after at most %d", err, read, tableRows)
	}
}
