package service

import (
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Whatever object comes, it is read, written as it came, and told of in JSON.
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
			t.Fatalf("%q becomes %d members of %d: %v", text, len(again), len(d), err)
		}
		for i, m := range d {
			holdsNUL(m.Value)
			if again[i].Name != m.Name || string(value(again[i].Value)) != string(value(m.Value)) {
				t.Errorf("%q: %s becomes %s", text, m.Value, again[i].Value)
			}
			if told := exactNumbers(m.Value); !told.IsValid() {
				t.Errorf("%s is told as %s", m.Value, told)
			}
		}
		if _, err := d.references(); err != nil && len(text) < maxReferences {
			t.Errorf("%q: %v", text, err)
		}
	})
}
