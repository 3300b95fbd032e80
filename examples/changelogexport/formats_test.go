package main

import (
	"encoding/csv"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// TestTableEscapesFormulas checks that no field can start a formula, with any
// separator that a spreadsheet uses.
func TestTableEscapesFormulas(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Ada":           "Ada",
		"a-b=c@d.e":     "a-b=c@d.e",
		"=1+1":          "'=1+1",
		"  =1+1":        "'  =1+1",
		`"=1+1`:         `'"=1+1`,
		"a;=1+1":        "a;'=1+1",
		"a,\t-1":        "a,'\t-1",
		"\t=1":          "'\t=1",
		"\rA":           "'\rA",
		"x\n@SUM(A1)":   "x\n'@SUM(A1)",
		"\uff1dcmd":     "'\uff1dcmd",
		"%0a=cmd":       "'%0a=cmd",
		`quoted "name"`: `quoted "name"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if err := table(&out, false)(&promptrails.ChangelogEntry{Actor: promptrails.Actor{Name: name}}); err != nil {
				t.Fatal(err)
			}
			record, err := csv.NewReader(strings.NewReader(strings.ReplaceAll(out.String(), "\r\n", "\n"))).Read()
			if err != nil {
				t.Fatalf("reading the row of %q: got error %v, want nil", name, err)
			}
			if got := record[4]; got != want {
				t.Errorf("field for %q: got %q, want %q", name, got, want)
			}
		})
	}
}
