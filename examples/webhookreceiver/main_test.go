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
		"leads to http://127.0.0.1:", "/…\n", "channel.test: Receiver works", "member.joined: mary@example.com, as user",
		"usage.threshold: 4 of 5 team_members", "another test: true",
	} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("it does not say %q:\n%s", part, out.String())
		}
	}
	if strings.Contains(out.String(), "hooks") || strings.Contains(out.String(), "failed") {
		t.Error(out.String())
	}
}

// Real deliveries come in over a port: one that was lost on the way back comes
// again and is taken once, and what nobody signed is not taken.
func TestReceiver(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t, promptrailstest.WithConfig(func(c *embedded.Config) { c.AllowLoopbackWebhooks = true }))
	var receive http.Handler
	lost, again := make(chan struct{}, 1), make(chan struct{})
	lost <- struct{}{}
	port := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		receive.ServeHTTP(w, r)
		select {
		case <-lost:
			panic(http.ErrAbortHandler) // the answer is lost
		default:
			close(again)
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
		t.Errorf("%+v", event)
	}
	<-again // after some seconds
	if len(r.queue) != 0 {
		t.Error("what came twice was taken twice")
	}

	for _, c := range []struct {
		body   string
		status int
	}{{`{"type":"member.joined"}`, http.StatusUnauthorized}, {strings.Repeat("x", mostBytes+1), http.StatusRequestEntityTooLarge}} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(c.body)))
		if w.Code != c.status {
			t.Errorf("%.30s: %d %s, want %d", c.body, w.Code, w.Body, c.status)
		}
	}
	// A queue that is full asks for it to be sent again, and takes it then.
	for i := range mostQueued + 1 {
		if r.take(&promptrails.Event{ID: fmt.Sprint(i)}) != (i < mostQueued) {
			t.Errorf("event %d", i)
		}
	}
	<-r.queue
	if last := &(promptrails.Event{ID: fmt.Sprint(mostQueued)}); !r.take(last) {
		t.Error("it was not taken when there was room")
	}
}
