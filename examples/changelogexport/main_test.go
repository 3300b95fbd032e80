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

func changes(t *testing.T, client *promptrails.Client, n int) {
	t.Helper()
	for range n {
		if _, err := client.Resources.Create(t.Context(), promptrails.KindPrompts, map[string]any{"name": "=cmd()", "big": json.RawMessage("12345678901234567890")}); err != nil {
			t.Fatal(err)
		}
	}
}

func lines(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// Each format has every entry once, over several runs, and after a run that was
// cut off behind its last state.
func TestExport(t *testing.T) {
	t.Parallel()
	for format := range formats {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s := promptrailstest.New(t)
			out := filepath.Join(t.TempDir(), "changelog")
			quiet := progress(os.Stdin) // no terminal in a test
			changes(t, s.Owner, 20)
			if n, err := export(t.Context(), s.Owner, format, out, quiet); err != nil || n != 22 {
				t.Fatalf("%d entries, %v", n, err)
			}
			if n, err := export(t.Context(), s.Owner, format, out, quiet); err != nil || n != 0 {
				t.Errorf("%d entries the second time, %v", n, err)
			}
			if err := os.WriteFile(out, []byte(strings.Join(lines(t, out), "\n")+"\n"+strings.Repeat("half a line ", 10_000)), 0o600); err != nil {
				t.Fatal(err)
			}
			changes(t, s.Owner, 5)
			if n, err := export(t.Context(), s.Owner, format, out, quiet); err != nil || n != 5 {
				t.Errorf("%d entries the third time, %v", n, err)
			}
			got := lines(t, out)
			check(t, format, got)
			if _, err := export(t.Context(), s.Owner, "xml", out, quiet); err == nil {
				t.Error("a format that is none was taken")
			}
			if err := os.Truncate(out, 10); err != nil {
				t.Fatal(err)
			}
			if _, err := export(t.Context(), s.Owner, format, out, quiet); err == nil || !strings.Contains(err.Error(), "lost its end") {
				t.Errorf("an output that lost its end: %v", err)
			}
		})
	}
}

// check looks at 27 exported entries.
func check(t *testing.T, format string, got []string) {
	t.Helper()
	if format == "csv" {
		rows, err := csv.NewReader(strings.NewReader(strings.Join(got, "\n"))).ReadAll()
		if err != nil || len(rows) != 28 || rows[0][0] != "sequence" || rows[27][0] != "27" || rows[27][8] != "'=cmd()" {
			t.Errorf("%v, %d rows, the last %q", err, len(rows), rows[len(rows)-1])
		}
		return
	}
	if len(got) != 27 {
		t.Fatalf("%d lines", len(got))
	}
	last := got[26]
	want := `"sequence":27`
	if format == "ocsf" {
		want = `"type_uid":300401`
	}
	if !json.Valid([]byte(last)) || !strings.Contains(last, want) || !strings.Contains(last, `"12345678901234567890"`) {
		t.Errorf("the last is %s", last)
	}
	if format != "ndjson" {
		return
	}
	// What was written can be verified again.
	head, err := promptrails.VerifyChangelog(func(yield func(*promptrails.ChangelogEntry, error) bool) {
		for _, line := range got {
			e := new(promptrails.ChangelogEntry)
			if err := json.Unmarshal([]byte(line), e); !yield(e, err) {
				return
			}
		}
	}, nil)
	if err != nil || head.Sequence != 27 {
		t.Errorf("%+v, %v", head, err)
	}
}

// A changelog that no longer has what an earlier run has seen is told of.
func TestExportFindsAnotherPast(t *testing.T) {
	t.Parallel()
	s, other := promptrailstest.New(t), promptrailstest.New(t)
	out := filepath.Join(t.TempDir(), "changelog")
	if _, err := export(t.Context(), s.Owner, "ndjson", out, progress(os.Stdin)); err != nil {
		t.Fatal(err)
	}
	changes(t, other.Owner, 3)
	before := lines(t, out)
	n, err := export(t.Context(), other.Owner, "ndjson", out, progress(os.Stdin))
	if err == nil || !strings.Contains(err.Error(), "does not verify") || n != 0 {
		t.Errorf("%d entries, %v", n, err)
	}
	if after := lines(t, out); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Error("what did not verify was written")
	}
}
