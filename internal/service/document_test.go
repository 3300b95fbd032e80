package service

import (
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Any JSON object can be parsed, is written unchanged, and can be written to the
// changelog as valid JSON.
func FuzzDocument(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"name":"a","agent_id":"x","a":[{"prompt_ids":["y",1,null,[]]}]}`, `{"x":1e999,"y":0.1000000000000000055,"z":-0,"\u0000":"\u0000"}`, `{"a":{"b":[12345678901234567890,1.5e3]}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d Document
		if wire.DecodeStrict(text, &d) != nil {
			return
		}
		again, err := parseDocument(value(d))
		if err != nil || len(again) != len(d) {
			t.Fatalf("parseDocument of %q: got %d members, %v, want %d", text, len(again), err, len(d))
		}
		for i, m := range d {
			holdsNUL(m.Value)
			if again[i].Name != m.Name || string(value(again[i].Value)) != string(value(m.Value)) {
				t.Errorf("member %d of %q: got %s: %s, want %s: %s", i, text, again[i].Name, again[i].Value, m.Name, m.Value)
			}
			if logged := exactNumbers(m.Value); !logged.IsValid() {
				t.Errorf("exactNumbers(%s): got %s, want valid JSON", m.Value, logged)
			}
		}
		if _, err := d.references(); err != nil && len(text) < maxReferences {
			t.Errorf("references of %q: got %v, want no error", text, err)
		}
	})
}
