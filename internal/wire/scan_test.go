package wire_test

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// A Scanner finds the members that a decoder finds. For invalid JSON, it does
// not panic.
func FuzzScan(f *testing.F) {
	for _, text := range []string{`{}`, `[]`, `{"a":1}`, ` { "a" : [ 1 , {"b":"]\\\""} ] , "c\"":-1.5e3 } `, `[[[]],{},"",null,true]`, `{"a`, `{"a":`, `["\`, `}`, ``, `{"a":"\\"}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got []string
		members := wire.Scan(text)
		for name, value, ok := members.Member(); ok; name, value, ok = members.Member() {
			got = append(got, name, value)
		}
		value := jsontext.Value(text)
		if !value.IsValid() || value.Kind() != '{' {
			return
		}
		at := 0
		err := wire.EachMember(value, func(_ string, name, value jsontext.Value) error {
			if at+2 > len(got) || got[at] != string(name) || got[at+1] != string(value) {
				t.Fatalf("Scan of %q: got %q, want %q: %q at %d", text, got, name, value, at)
			}
			at += 2
			return nil
		})
		if err != nil || at != len(got) {
			t.Fatalf("Scan of %q: got %q, want %d names and values, %v", text, got, at, err)
		}
	})
}
