package promptrailstest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// directory is the program under test. It remembers the members of a workspace.
type directory struct {
	client *promptrails.Client
	emails []string
}

// refresh reads the members. While PromptRails is unavailable, it keeps those that it
// has.
func (d *directory) refresh(ctx context.Context) error {
	var emails []string
	for member, err := range d.client.Members.All(ctx, nil) {
		if errors.Is(err, promptrails.ErrUnavailable) {
			return nil
		}
		if err != nil {
			return err
		}
		emails = append(emails, member.Email)
	}
	d.emails = slices.Sorted(slices.Values(emails))
	return nil
}

// The server is down: a program continues with the data that it has.
func ExampleServer_Down() {
	t := newT() // your test has a *testing.T
	defer t.done()
	s := promptrailstest.New(t)
	d := &directory{client: s.Client(promptrails.WithMaxRetries(0))}
	refresh := func() {
		t.Helper()
		if err := d.refresh(t.Context()); err != nil {
			t.Errorf("refresh: got %v, want no error", err)
		}
		fmt.Println(d.emails)
	}

	refresh()
	s.Down()
	s.NewMember("grace@example.com", promptrails.RoleUser) // in-process
	refresh()
	s.Up()
	refresh()
	// Output:
	// [owner@example.com]
	// [owner@example.com]
	// [grace@example.com owner@example.com]
}
