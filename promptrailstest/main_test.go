package promptrailstest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// exampleT is the t of an example, which has no *testing.T.
type exampleT struct {
	testing.TB
	cleanups []func()
}

func newT() *exampleT { return &exampleT{} }

func (t *exampleT) Helper()                   {}
func (t *exampleT) Context() context.Context  { return context.Background() }
func (t *exampleT) Cleanup(f func())          { t.cleanups = append(t.cleanups, f) }
func (t *exampleT) Errorf(s string, v ...any) { fmt.Printf(s+"\n", v...) } // which is not the output
func (t *exampleT) Fatalf(s string, v ...any) { panic(fmt.Sprintf(s, v...)) }
func (t *exampleT) Fatal(v ...any)            { panic(fmt.Sprint(v...)) }

// done runs the cleanups, as the end of a test does.
func (t *exampleT) done() {
	for _, f := range slices.Backward(t.cleanups) {
		f()
	}
}

// failures is a test that records its failures.
type failures struct {
	testing.TB
	list []string
}

func (f *failures) Helper()                   {}
func (f *failures) Errorf(s string, v ...any) { f.list = append(f.list, fmt.Sprintf(s, v...)) }

// Fatalf panics, because the test that is recorded has no goroutine of its own.
func (f *failures) Fatalf(s string, v ...any) {
	f.Errorf(s, v...)
	panic(f)
}

// of returns the failures of a call.
func (f *failures) of(call func()) (list []string) {
	defer func() {
		if fault := recover(); fault != nil && fault != f {
			panic(fault)
		}
		list, f.list = f.list, nil
	}()
	call()
	return nil // replaced
}

// statuses returns the statuses of the requests with a pattern, in order.
func statuses(s *promptrailstest.Server, pattern string) (list []int) {
	for _, r := range s.Requests() {
		if r.Pattern == pattern {
			list = append(list, statusOf(r))
		}
	}
	return list
}

// statusOf returns the status of the response to a request, or 0.
func statusOf(r *http.Request) int {
	if r.Response == nil {
		return 0
	}
	return r.Response.StatusCode
}

// invite invites a new user.
func invite(t *testing.T, c *promptrails.Client, email string) error {
	t.Helper()
	_, err := c.Invitations.Create(t.Context(), &promptrails.CreateInvitationParams{Email: email, Role: promptrails.RoleUser})
	return err
}

// invited returns the number of invitations, as the owner sees them in-process.
func invited(t *testing.T, s *promptrailstest.Server) (n int) {
	t.Helper()
	for _, err := range s.Owner.Invitations.All(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// whenSent returns a trace that closes sent after a request was written.
func whenSent() (trace *httptrace.ClientTrace, sent chan struct{}) {
	sent = make(chan struct{})
	var once sync.Once
	return &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { once.Do(func() { close(sent) }) }}, sent
}
