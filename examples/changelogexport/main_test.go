package main

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/processtest"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// makeChanges adds n entries to the changelog.
func makeChanges(t *testing.T, client *promptrails.Client, n int) {
	t.Helper()
	for range n {
		if _, err := client.Resources.Create(t.Context(), promptrails.KindPrompts, map[string]any{"name": "=cmd()", "big": json.RawMessage("12345678901234567890")}); err != nil {
			t.Fatal(err)
		}
	}
}

// lines returns the lines of a file.
func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// TestExport checks for each format that every entry is written once, over
// several runs and after a run that was interrupted after its last save.
func TestExport(t *testing.T) {
	t.Parallel()
	for format := range formats {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s := promptrailstest.New(t)
			out := filepath.Join(t.TempDir(), "changelog")
			quiet := progress(os.Stdin) // stdin of a test is not a terminal
			makeChanges(t, s.Owner, 20)
			if n, err := export(t.Context(), s.Owner, format, out, quiet); err != nil || n != 22 {
				t.Fatalf("first export: got %d entries, error %v; want 22, nil", n, err)
			}
			if n, err := export(t.Context(), s.Owner, format, out, quiet); err != nil || n != 0 {
				t.Errorf("second export: got %d entries, error %v; want 0, nil", n, err)
			}
			if err := os.WriteFile(out, []byte(strings.Join(lines(t, out), "\n")+"\n"+strings.Repeat("half a line ", 10_000)), 0o600); err != nil {
				t.Fatal(err)
			}
			makeChanges(t, s.Owner, 5)
			if n, err := export(t.Context(), s.Owner, format, out, quiet); err != nil || n != 5 {
				t.Errorf("third export: got %d entries, error %v; want 5, nil", n, err)
			}
			got := lines(t, out)
			check(t, format, got)
			if _, err := export(t.Context(), s.Owner, "xml", out, quiet); err == nil {
				t.Error("export with an invalid format: got nil, want an error")
			}
			if err := os.Truncate(out, 10); err != nil {
				t.Fatal(err)
			}
			if _, err := export(t.Context(), s.Owner, format, out, quiet); err == nil || !strings.Contains(err.Error(), "was truncated") {
				t.Errorf("export to a truncated file: got error %v, want %q", err, "was truncated")
			}
		})
	}
}

// check checks an export of 27 entries.
func check(t *testing.T, format string, got []string) {
	t.Helper()
	if format == "csv" {
		rows, err := csv.NewReader(strings.NewReader(strings.Join(got, "\n"))).ReadAll()
		if err != nil || len(rows) != 28 || rows[0][0] != "sequence" || rows[27][0] != "27" || rows[27][8] != "'=cmd()" {
			t.Errorf("CSV: got %d rows, error %v, %q; want a header and entries 1 to 27", len(rows), err, rows)
		}
		return
	}
	if len(got) != 27 {
		t.Fatalf("got %d lines, want 27", len(got))
	}
	last := got[26]
	want := `"sequence":27`
	if format == "ocsf" {
		want = `"type_uid":300401`
	}
	if !json.Valid([]byte(last)) || !strings.Contains(last, want) || !strings.Contains(last, `"12345678901234567890"`) {
		t.Errorf("last line: got %s, want JSON with %s", last, want)
	}
	if format != "ndjson" {
		return
	}
	// The output can be verified later.
	head, err := promptrails.VerifyChangelog(func(yield func(*promptrails.ChangelogEntry, error) bool) {
		for _, line := range got {
			e := new(promptrails.ChangelogEntry)
			if err := json.Unmarshal([]byte(line), e); !yield(e, err) {
				return
			}
		}
	}, nil)
	if err != nil || head.Sequence != 27 {
		t.Errorf("VerifyChangelog of the output: got %+v, error %v; want sequence 27", head, err)
	}
}

// TestExportDetectsChangedHistory checks that an export fails, and writes no
// entries, if the changelog no longer contains the last exported entry.
func TestExportDetectsChangedHistory(t *testing.T) {
	t.Parallel()
	s, other := promptrailstest.New(t), promptrailstest.New(t)
	out := filepath.Join(t.TempDir(), "changelog")
	if _, err := export(t.Context(), s.Owner, "ndjson", out, progress(os.Stdin)); err != nil {
		t.Fatal(err)
	}
	makeChanges(t, s.Owner, 3)
	before := lines(t, out)
	refuse := func(client *promptrails.Client, want string) {
		t.Helper()
		n, err := export(t.Context(), client, "ndjson", out, progress(os.Stdin))
		if err == nil || !strings.Contains(err.Error(), want) || n != 0 {
			t.Errorf("export: got %d entries, error %v; want 0 entries and the error %q", n, err, want)
		}
		if after := lines(t, out); strings.Join(after, "\n") != strings.Join(before, "\n") {
			t.Errorf("output: got\n%s\nwant it unchanged:\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
		}
	}
	refuse(other.Owner, "is an export of the workspace "+s.Workspace.ID)
	saved, err := readState(out)
	if err != nil {
		t.Fatal(err)
	}
	saved.Head.Hash = strings.Repeat("0", len(saved.Head.Hash))
	if err := saved.save(out); err != nil {
		t.Fatal(err)
	}
	refuse(s.Owner, "does not verify")
}

func TestMain(m *testing.M) { processtest.Main(m, main) }

// The second run of the demo appends the changes that it makes, without progress in a
// pipe. An export to a file of another workspace names the reason.
func TestProcess(t *testing.T) {
	t.Parallel()
	processtest.CheckUsage(t, "-format", "-out", "PROMPTRAILS_API_URL", "PROMPTRAILS_API_KEY")
	dir := t.TempDir()
	for i, want := range []string{"4 entries\n", "2 entries\n", "2 entries\n"} {
		if got := processtest.Run(t, dir, nil, "-out", "log"); got.Code != 0 || got.Stdout != "" || got.Stderr != want {
			t.Errorf("run %d: got %+v, want exit code 0, and only %q on stderr", i+1, got, want)
		}
	}
	if got := len(lines(t, filepath.Join(dir, "log"))); got != 8 {
		t.Errorf("lines of the export: got %d, want 8", got)
	}
	processtest.Run(t, dir, nil, "-format", "xml").Fails(t, 2, `invalid -format "xml"`)
	for _, c := range []struct{ url, key, want string }{
		{"https://127.0.0.1:1", "", "PROMPTRAILS_API_KEY is not set"},
		{"https://127.0.0.1:1", "pat_x", "API key (PROMPTRAILS_API_KEY) must"},
		{"http://192.0.2.1", "pr_x", "base URL (PROMPTRAILS_API_URL) must begin with https://"},
	} {
		got := processtest.Run(t, dir, []string{"PROMPTRAILS_API_URL=" + c.url, "PROMPTRAILS_API_KEY=" + c.key})
		got.Fails(t, 1, c.want)
		if strings.Contains(got.Stderr, "With") {
			t.Errorf("stderr: got %q, want no names of Go options", got.Stderr)
		}
	}
}

// SIGTERM stops an export during a request.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	requests := make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests <- struct{}{}
		<-r.Context().Done()
	}))
	defer api.Close()
	p := processtest.Start(t, t.TempDir(), []string{"PROMPTRAILS_API_URL=" + api.URL, "PROMPTRAILS_API_KEY=pr_live_" + strings.Repeat("a", 43)})
	<-requests
	p.Signal(t, syscall.SIGTERM)
	if rest := p.End(t, 1); !strings.Contains(rest, "the next run continues") {
		t.Errorf("output: got %q, want that the next run continues", rest)
	}
}
