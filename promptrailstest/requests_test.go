package promptrailstest_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// received describes a request.
type received struct {
	Method, Pattern, Query string
	Status                 int
}

func describe(r *http.Request) received {
	return received{r.Method, r.Pattern, r.URL.RawQuery, statusOf(r)}
}

// recorder is a transport that records the operations of a client.
type recorder struct{ list []received }

// RoundTrip implements [http.RoundTripper].
func (rt *recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	op, _ := promptrails.OperationFromContext(r.Context())
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		rt.list = append(rt.list, received{op.Method, op.Method + " /api/v1" + op.Path, r.URL.RawQuery, response.StatusCode})
	}
	return response, err
}

// The operations of Requests have the names and paths that the client has.
func TestRequests(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	sent := &recorder{}
	client := s.Client(promptrails.WithHTTPClient(&http.Client{Transport: sent}), promptrails.WithMaxRetries(0))
	self, err := client.Members.Self(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Members.Get(t.Context(), self.ID); err != nil {
		t.Error(err)
	}
	if _, err := client.Members.Get(t.Context(), "none"); err == nil {
		t.Error("Members.Get of an unknown member: got no error, want one")
	}
	if _, err := client.Members.List(t.Context(), &promptrails.ListMembersParams{ListOptions: promptrails.ListOptions{Limit: 1}}); err != nil {
		t.Error(err)
	}
	if err := invite(t, client, "grace@example.com"); err != nil {
		t.Error(err)
	}
	s.FailNext(1, 500)
	if err := invite(t, client, "joan@example.com"); err == nil {
		t.Error("Invitations.Create with status 500: got no error, want one")
	}
	var got []received
	for i, r := range s.Requests() {
		if r.Header.Get("User-Agent") == "" || (r.Method == http.MethodPost) != (r.Header.Get("Idempotency-Key") != "") {
			t.Errorf("headers of request %d, a %s: got %v, want User-Agent, and Idempotency-Key of POST", i, r.Method, r.Header)
		}
		got = append(got, describe(r))
	}
	if diff := cmp.Diff(sent.list, got); diff != "" {
		t.Errorf("Requests: got a difference (-sent +got):\n%s", diff)
	}

	agents, err := client.Resources.List(t.Context(), promptrails.KindAgents, nil)
	if err != nil || len(agents.Items) != 0 {
		t.Errorf("Resources.List: got %+v and error %v, want no agents", agents, err)
	}
	get(t, s.URL+"/healthz", http.Header{})
	get(t, s.URL+"/nowhere?q=1", http.Header{})
	if _, err := client.Members.Get(t.Context(), "a/../b"); err == nil {
		t.Error("Members.Get of a/../b: got no error, want one")
	}
	want := []received{
		{"GET", "GET /api/v1/agents", "", 200},
		{"GET", "", "", 200},
		{"GET", "", "q=1", 404},
		{"GET", "", "", 404}, // no route
	}
	for i, r := range s.Requests()[len(got):] {
		if diff := cmp.Diff(want[i], describe(r)); diff != "" {
			t.Errorf("request %d: got a difference (-want +got):\n%s", i, diff)
		}
	}
}

// get sends a request without a client of this module.
func get(t *testing.T, url string, h http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = h
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}

// Requests does not show keys and tokens, and its result is a copy.
func TestRequestsSecrets(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	key := s.NewKey(promptrails.ScopeMembersRead)
	for _, client := range []*promptrails.Client{s.Client(), s.Client(promptrails.WithAPIKey(key.Reveal()))} {
		if _, err := client.Members.List(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	get(t, s.URL+"/healthz", http.Header{"Cookie": {"planted"}, "Proxy-Authorization": {"planted", "planted"}})
	list := s.Requests()
	var text string
	for _, r := range list {
		text += fmt.Sprintln(r.URL, r.Header)
	}
	for _, secret := range []string{key.Reveal(), "pat_", "planted"} {
		if strings.Contains(text, secret) {
			t.Errorf("Requests: got %s, want it without %s", text, secret)
		}
	}
	if n := strings.Count(text, "[redacted]"); n != 4 {
		t.Errorf("Requests: got %d headers that are redacted, want 4: %s", n, text)
	}
	list[0].Header.Set("User-Agent", "changed")
	if got := s.Requests()[0].Header.Get("User-Agent"); got == "changed" {
		t.Error("Requests after a change of its result: got the change, want a copy")
	}
}

// A program that sends many requests does not fill the memory.
func TestRequestsBound(t *testing.T) {
	if testing.Short() {
		t.Skip("10,001 requests")
	}
	t.Parallel()
	s := promptrailstest.New(t)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	for i := range 10_001 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/healthz?%d", s.URL, i), nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
	}
	if list := s.Requests(); len(list) != 10_000 || list[0].URL.RawQuery != "1" {
		t.Errorf("Requests: got %d, the first with query %q; want 10000 that begin with the second", len(list), list[0].URL.RawQuery)
	}
}
