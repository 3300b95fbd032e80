package main

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
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
	makeChanges(t, other.Owner, 3)
	before := lines(t, out)
	n, err := export(t.Context(), other.Owner, "ndjson", out, progress(os.Stdin))
	if err == nil || !strings.Contains(err.Error(), "does not verify") || n != 0 {
		t.Errorf("export of a changed history: got %d entries, error %v; want 0 entries and a verification error", n, err)
	}
	if after := lines(t, out); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("output: got\n%s\nwant it unchanged:\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
	}
}
