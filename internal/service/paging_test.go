package service

import (
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// A cursor is either invalid or exactly the one that was issued for its position.
func FuzzCursor(f *testing.F) {
	l, err := newListing("members", "w", promptrails.ListOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(l.cursor(store.Position{At: 1, ID: "id"}))
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		position, ok := l.open(cursor)
		if ok && l.cursor(*position) != cursor {
			t.Errorf("cursor of %+v: got %q, want %q", *position, l.cursor(*position), cursor)
		}
	})
}
