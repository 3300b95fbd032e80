package promptrailstest_test

import (
	"errors"
	"net/http/httptrace"
	"sync"
	"syscall"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// Connections are refused while the server is down, and accepted after it is up.
func TestDown(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	client := s.Client(promptrails.WithMaxRetries(0))
	for range 3 {
		if err := invite(t, client, "grace@example.com"); err != nil && !errors.Is(err, promptrails.ErrConflict) {
			t.Errorf("Invitations.Create: got %v, want no error or ErrConflict", err)
		}
		received := len(s.Requests())
		s.Down()
		s.Down()
		err := invite(t, client, "joan@example.com")
		if !errors.Is(err, promptrails.ErrUnavailable) || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Invitations.Create while the server is down: got %v, want ErrUnavailable of a refused connection", err)
		}
		if got := len(s.Requests()); got != received {
			t.Errorf("requests while the server is down: got %d, want %d", got, received)
		}
		if got := invited(t, s); got != 1 {
			t.Errorf("invitations, in-process: got %d, want 1", got)
		}
		s.Up()
		s.Up()
	}
	if err := invite(t, client, "ida@example.com"); err != nil {
		t.Errorf("Invitations.Create after Up: got %v, want no error", err)
	}
}

// A call outlives a server that is down for a moment.
func TestDownRetry(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	s.Down()
	trace := &httptrace.ClientTrace{ConnectDone: func(string, string, error) { s.Up() }}
	_, err := s.Client().Members.Self(httptrace.WithClientTrace(t.Context(), trace))
	if err != nil {
		t.Errorf("Members.Self: got %v, want no error after a retry", err)
	}
}

// A running request gets no response.
func TestDownClosesConnections(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	s.Latency(time.Hour)
	trace, sent := whenSent()
	go func() { <-sent; s.Down() }()
	_, err := s.Client(promptrails.WithMaxRetries(0)).Members.Self(httptrace.WithClientTrace(t.Context(), trace))
	if !errors.Is(err, promptrails.ErrUnavailable) {
		t.Errorf("Members.Self: got %v, want ErrUnavailable", err)
	}
}

// Down and Up can be called while requests run.
func TestDownConcurrent(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	client := s.Client(promptrails.WithMaxRetries(0))
	var calls sync.WaitGroup
	for range 4 {
		calls.Go(func() {
			for range 20 {
				if _, err := client.Members.Self(t.Context()); err != nil && !errors.Is(err, promptrails.ErrUnavailable) {
					t.Errorf("Members.Self: got %v, want no error or ErrUnavailable", err)
				}
			}
		})
		calls.Go(func() {
			for range 5 {
				s.Down()
				s.Up()
			}
		})
	}
	calls.Wait()
	if _, err := client.Members.Self(t.Context()); err != nil {
		t.Errorf("Members.Self after the last Up: got %v, want no error", err)
	}
}
