package promptrailstest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// status is the program under test. It shows the role of the caller.
func status(ctx context.Context, client *promptrails.Client) string {
	self, err := client.Members.Self(ctx)
	if limited, ok := errors.AsType[*promptrails.RateLimitError](err); ok {
		return fmt.Sprint("too many requests; try again in ", limited.RetryAfter)
	}
	if err != nil {
		return err.Error()
	}
	return string(self.Role)
}

// The rate is limited: the client waits for a short time by itself, and the program
// handles a long one.
func ExampleServer_RateLimitNext() {
	t := newT() // your test has a *testing.T
	defer t.done()
	s := promptrailstest.New(t)
	client := s.Client()

	s.RateLimitNext(2, 0)
	fmt.Println(status(t.Context(), client))
	s.RateLimitNext(1, time.Hour)
	fmt.Println(status(t.Context(), client))
	for _, r := range s.Requests() {
		fmt.Println(r.Pattern, r.Response.StatusCode)
	}
	// Output:
	// owner
	// too many requests; try again in 1h0m0s
	// GET /api/v1/members/me 429
	// GET /api/v1/members/me 429
	// GET /api/v1/members/me 200
	// GET /api/v1/members/me 429
}
