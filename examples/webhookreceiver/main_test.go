package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

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
