package promptrails_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// An entry in the form in which a server hashes it is verified without decoding
// it. White space between the members prevents that, and must not change the
// result, because the hash does not cover it.
func TestVerifyChangelogOfServedEntries(t *testing.T) {
	t.Parallel()
	accepted := 0
	rapid.Check(t, func(t *rapid.T) {
		served := hostileEntry(t)
		entry, spaced := new(promptrails.ChangelogEntry), new(promptrails.ChangelogEntry)
		err := entry.UnmarshalJSON([]byte(served))
		if spacedErr := spaced.UnmarshalJSON([]byte(strings.Replace(served, "{", "{ ", 1))); (err == nil) != (spacedErr == nil) {
			t.Fatalf("UnmarshalJSON of %s: got %v; with white space got %v", served, err, spacedErr)
		}
		if err != nil {
			return // it cannot be decoded
		}
		head, err := promptrails.VerifyChangelog(each([]*promptrails.ChangelogEntry{entry}), nil)
		want, wantErr := promptrails.VerifyChangelog(each([]*promptrails.ChangelogEntry{spaced}), nil)
		if fmt.Sprint(head, err) != fmt.Sprint(want, wantErr) {
			t.Fatalf("VerifyChangelog of %s: got %v, %v; with white space got %v, %v", served, head, err, want, wantErr)
		}
		if err == nil {
			accepted++
		}
	})
	if accepted == 0 {
		t.Error("VerifyChangelog accepted no entry, want some")
	}
}

// hostileEntry returns an entry in any form, with a hash of one of its forms.
func hostileEntry(t *rapid.T) string {
	genesis := sha256.Sum256([]byte("w"))
	names := rapid.Permutation([]string{"action", "changes", "hash", "id", "prev_hash", "sequence", "workspace_id"}).Draw(t, "names")
	values := map[string]string{
		"action": `"updated"`, "id": `"e"`, "prev_hash": `"` + hex.EncodeToString(genesis[:]) + `"`, "sequence": "1", "workspace_id": `"w"`,
		"changes": rapid.SampledFrom([]string{`{}`, `{"hash":{"from":"a,b","to":"}\\\""}}`, `{ "a" : [1, 2.50, {}] }`, `{"hash":1,"h":[[],"\u0041"]}`, `{"a":1,"a":2}`, `{"n":0.1000000000000000000001}`}).Draw(t, "changes"),
	}
	edit := rapid.SampledFrom([]string{"", "", "space", "space", "space", "space", "escaped name", "escaped value", "second hash", "no hash", "capital hash", "null hash", "mark", "sequence", "cut off"}).Draw(t, "edit")
	var spaces [4]string // before a name, after it, before a value, after it
	if edit == "space" {
		spaces[rapid.IntRange(0, 3).Draw(t, "position")] = rapid.SampledFrom([]string{" ", "\n", "\t", "\r"}).Draw(t, "space")
	}
	if edit == "second hash" {
		names = append(names, "hash")
	}
	if edit == "sequence" {
		values["sequence"] = rapid.SampledFrom([]string{"1.0", "1e0", "-0", "null", `"1"`}).Draw(t, "sequence")
	}
	build := func(hash string) string {
		var members []string
		for _, name := range names {
			value := values[name]
			switch {
			case name == "hash" && (hash == "" || edit == "no hash"):
				continue
			case name == "hash":
				value = `"` + hash + `"`
				switch edit {
				case "capital hash":
					value = strings.ToUpper(value)
				case "null hash":
					value = "null"
				case "escaped value":
					value = `"\u00` + hex.EncodeToString([]byte(hash[:1])) + hash[1:] + `"`
				}
			case name == "workspace_id" && edit == "escaped value":
				value = `"\u0077"`
			}
			if edit == "escaped name" {
				name = strings.Replace(name, "h", `\u0068`, 1)
			}
			members = append(members, spaces[0]+`"`+name+`"`+spaces[1]+":"+spaces[2]+value+spaces[3])
		}
		return "{" + strings.Join(members, ",") + "}"
	}
	content := jsontext.Value(build(""))
	switch rapid.SampledFrom([]string{"as served", "as served", "canonical", "without space"}).Draw(t, "hashed") {
	case "canonical":
		_ = content.Canonicalize() // of a malformed entry, the hash is of its text
	case "without space":
		_ = content.Compact()
	}
	sum := sha256.Sum256(content)
	entry := build(hex.EncodeToString(sum[:]))
	switch edit {
	case "mark":
		return "\ufeff" + entry
	case "cut off":
		return entry[:rapid.IntRange(1, len(entry)-1).Draw(t, "size")]
	default:
		return entry
	}
}

// The JSON that MarshalJSON returns is a copy.
func TestMarshaledEntryIsACopy(t *testing.T) {
	t.Parallel()
	entry := &promptrails.ChangelogEntry{}
	if err := entry.UnmarshalJSON([]byte(`{"id":"e"}`)); err != nil {
		t.Fatal(err)
	}
	text := must[[]byte](t)(entry.MarshalJSON())
	text[2] = 'x'
	if got := must[[]byte](t)(entry.MarshalJSON()); string(got) != `{"id":"e"}` {
		t.Errorf("MarshalJSON after a change of its earlier result: got %s, want the entry unchanged", got)
	}
}

// The verification of served entries allocates no memory for each entry.
func TestVerifyChangelogAllocations(t *testing.T) {
	lines := export(t)
	var entries []*promptrails.ChangelogEntry
	for entry, err := range sequence(lines) {
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	verify := func(entries []*promptrails.ChangelogEntry) float64 {
		return testing.AllocsPerRun(10, func() {
			if _, err := promptrails.VerifyChangelog(each(entries), nil); err != nil {
				t.Fatal(err)
			}
		})
	}
	if all, few := verify(entries), verify(entries[:5]); all > few+5 { // of the buffer, which grows
		t.Errorf("VerifyChangelog: got %v allocations for %d entries and %v for 5, want about as many", all, len(entries), few)
	}
}

func each(entries []*promptrails.ChangelogEntry) iter.Seq2[*promptrails.ChangelogEntry, error] {
	return func(yield func(*promptrails.ChangelogEntry, error) bool) {
		for _, entry := range entries {
			if !yield(entry, nil) {
				return
			}
		}
	}
}
