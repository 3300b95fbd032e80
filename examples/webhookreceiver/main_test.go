package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/processtest"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

func TestMain(m *testing.M) { processtest.Main(m, main) }

// The receiver listens before it reports so, and exits with 0 on SIGTERM. It refuses a
// secret that no signature can match.
func TestProcess(t *testing.T) {
	t.Parallel()
	processtest.CheckUsage(t, "-addr", "WEBHOOK_SECRETS")
	good := "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	p := processtest.Start(t, t.TempDir(), []string{"WEBHOOK_SECRETS=" + good}, "-addr", "127.0.0.1:0")
	_, url, _ := strings.Cut(p.Until(t, "receiving on "), "receiving on ")
	response, err := http.Post(url, "application/json", strings.NewReader("{}"))
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		t.Fatalf("unsigned request: got %+v, %v, want 401", response, err)
	}
	_ = response.Body.Close()
	for _, secret := range []string{"whsec_x", good + " whsec_x", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 23))} {
		got := processtest.Run(t, t.TempDir(), []string{"WEBHOOK_SECRETS=" + secret}, "-addr", "127.0.0.1:0")
		got.Fails(t, 1, fmt.Sprintf("WEBHOOK_SECRETS: secret %d is invalid", strings.Count(secret, " ")+1))
		if strings.Contains(got.Stderr, "whsec_x") || strings.Contains(got.Stderr, "receiving") {
			t.Errorf("stderr: got %q, want no secret, and not that it is receiving", got.Stderr)
		}
	}
	taken := processtest.Run(t, t.TempDir(), []string{"WEBHOOK_SECRETS=" + good}, "-addr", strings.TrimPrefix(url, "http://"))
	if taken.Fails(t, 1, "in use"); strings.Contains(taken.Stderr, "receiving") {
		t.Errorf("stderr with an address in use: got %q, want only the error", taken.Stderr)
	}
	p.Signal(t, syscall.SIGTERM)
	p.End(t, 0)
}

func TestDemo(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := demo(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"delivers to http://127.0.0.1:", "/…\n", "channel.test: Receiver works", "member.joined: mary@example.com, as user",
		"usage.threshold: 4 of 5 team_members", "redelivery was discarded: true",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("output: got\n%s\nwant it to contain %q", out.String(), part)
		}
	}
	if strings.Contains(out.String(), "hooks") || strings.Contains(out.String(), "failed") {
		t.Errorf("output: got\n%s\nwant no path of the webhook URL and no failed deliveries", out.String())
	}
}

// TestReceiver receives deliveries over a real connection. A delivery whose
// response is lost is retried, and the receiver discards the duplicate. The
// receiver rejects unsigned and oversized requests.
func TestReceiver(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t, promptrailstest.WithConfig(func(c *embedded.Config) { c.AllowLoopbackWebhooks = true }))
	var receive http.Handler
	drop, retried := make(chan struct{}, 1), make(chan struct{})
	drop <- struct{}{}
	port := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		receive.ServeHTTP(w, r)
		select {
		case <-drop:
			panic(http.ErrAbortHandler) // drop the response
		default:
			close(retried)
		}
	}))
	defer port.Close()
	channel, err := s.Owner.Notifications.CreateChannel(t.Context(), &promptrails.CreateChannelParams{
		Name: "Receiver", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret(port.URL),
	})
	if err != nil {
		t.Fatal(err)
	}
	old := promptrails.NewSecret("whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	r, err := newReceiver(old, channel.Secret)
	if err != nil {
		t.Fatal(err)
	}
	receive = r
	delivery, err := s.Owner.Notifications.TestChannel(t.Context(), channel.ID)
	if err != nil {
		t.Fatal(err)
	}
	if event := <-r.queue; event.ID != delivery.WebhookID || event.Type != promptrails.EventChannelTest {
		t.Errorf("event: got %+v, want ID %s and type %s", event, delivery.WebhookID, promptrails.EventChannelTest)
	}
	<-retried // after a few seconds
	if got := len(r.queue); got != 0 {
		t.Errorf("queue after a duplicate: got %d events, want 0", got)
	}

	for _, c := range []struct {
		name, body string
		status     int
	}{
		{"unsigned", `{"type":"member.joined"}`, http.StatusUnauthorized},
		{"too large", strings.Repeat("x", maxBody+1), http.StatusRequestEntityTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(c.body)))
			if w.Code != c.status {
				t.Errorf("got status %d, body %s; want status %d", w.Code, w.Body, c.status)
			}
		})
	}
	// A full queue refuses an event, and accepts it after space is free.
	for i := range maxQueued + 1 {
		if got, want := r.enqueue(&promptrails.Event{ID: fmt.Sprint(i)}), i < maxQueued; got != want {
			t.Errorf("enqueue event %d: got %t, want %t", i, got, want)
		}
	}
	<-r.queue
	if last := &(promptrails.Event{ID: fmt.Sprint(maxQueued)}); !r.enqueue(last) {
		t.Error("enqueue after an event was received: got false, want true")
	}
}
