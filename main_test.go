package promptrails_test

import (
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/apicheck"
	"github.com/promptrails-community/promptrails-go/internal/httpfixture"
)

var record = flag.Bool("record", false, "rewrite the recorded exchanges in testdata/fixtures")

func TestMain(m *testing.M) {
	flag.Parse()
	// The environment of the developer must not affect the tests.
	for _, name := range []string{"PROMPTRAILS_API_KEY", "PROMPTRAILS_ACCESS_TOKEN", "PROMPTRAILS_WORKSPACE_ID", "PROMPTRAILS_API_URL"} {
		if err := os.Unsetenv(name); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// fixture runs body twice: with the embedded service over HTTP, where exchanges
// are checked against the API's description, and with the exchanges recorded in
// testdata/fixtures. The service must produce the recorded exchanges.
func fixture(t *testing.T, body func(*testing.T, *platform)) {
	t.Helper()
	file := filepath.Join("testdata", "fixtures", strings.ToLower(t.Name())+".json")
	t.Run("embedded", func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, 1)
		clock := &steppingClock{}
		p := newPlatform(t, embedded.Config{Now: clock.now, DefaultPlan: promptrails.PlanStarter, AllowLoopbackWebhooks: true})
		clock.next = p.transport
		recorder := httpfixture.NewRecorder(clock)
		p.transport = recorder
		body(t, p)
		if t.Failed() {
			return
		}
		if *record {
			if err := recorder.Write(file); err != nil {
				t.Fatal(err)
			}
			return
		}
		got, err := recorder.Encode()
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v; to record it, run go test . -record", err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("exchanges differ from %s; to update it, run go test . -record (-want +got):\n%s", file, diff)
		}
	})
	t.Run("recorded", func(t *testing.T) {
		body(t, &platform{t: t, url: "http://localhost", transport: httpfixture.Replay(t, file)})
	})
}

// platform creates clients of an embedded service or of a recording.
type platform struct {
	t         *testing.T
	url       string
	transport http.RoundTripper
	service   *embedded.Service // nil in a replay
	people    int
}

// newPlatform starts a service with a local HTTP server.
func newPlatform(t *testing.T, cfg embedded.Config) *platform {
	t.Helper()
	service, err := embedded.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(apicheck.Handler(t, service))
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
		if err := service.Close(); err != nil {
			t.Error(err)
		}
	})
	return &platform{t: t, url: server.URL, transport: transport, service: service}
}

// person creates a user and returns a client with the user's access token.
func (p *platform) person(email, name string) *promptrails.Client {
	p.t.Helper()
	p.people++
	token := "pat_" + strings.Repeat("0", 42) + string(rune('0'+p.people))
	if p.service != nil {
		user, err := p.service.CreateUser(p.t.Context(), email, name)
		if err != nil {
			p.t.Fatal(err)
		}
		token = user.AccessToken.Reveal()
	}
	client, err := promptrails.NewClient(promptrails.WithBaseURL(p.url), promptrails.WithAccessToken(token),
		promptrails.WithHTTPClient(&http.Client{Transport: p.transport}), promptrails.WithIdempotentServer())
	if err != nil {
		p.t.Fatal(err)
	}
	return client
}

// withKey returns a client with an API key.
func (p *platform) withKey(key promptrails.Secret) *promptrails.Client {
	p.t.Helper()
	client, err := promptrails.NewClient(promptrails.WithBaseURL(p.url), promptrails.WithAPIKey(key.Reveal()),
		promptrails.WithHTTPClient(&http.Client{Transport: p.transport}), promptrails.WithIdempotentServer())
	if err != nil {
		p.t.Fatal(err)
	}
	return client
}

// steppingClock is a clock that advances by a millisecond for each request through
// its RoundTrip. Background work of the service does not advance it.
type steppingClock struct {
	next  http.RoundTripper
	steps atomic.Int64
}

func (c *steppingClock) now() time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(c.steps.Load()) * time.Millisecond)
}

// RoundTrip implements [http.RoundTripper].
func (c *steppingClock) RoundTrip(r *http.Request) (*http.Response, error) {
	c.steps.Add(1)
	return c.next.RoundTrip(r)
}

// must returns a function that returns v, or fails the test if err is not nil.
func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
