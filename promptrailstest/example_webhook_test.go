package promptrailstest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// greeter is the program under test. It receives webhooks, and greets new members.
type greeter struct {
	secret    atomic.Pointer[promptrails.Secret]
	greetings chan string
}

// ServeHTTP implements [http.Handler].
func (g *greeter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "too long", http.StatusRequestEntityTooLarge)
		return
	}
	event, err := promptrails.ParseWebhook(r.Header, body, *g.secret.Load())
	if err != nil {
		http.Error(w, "invalid signature", http.StatusUnauthorized)
		return
	}
	if member, ok := event.Data.(*promptrails.MemberEvent); ok && event.Type == promptrails.EventMemberJoined {
		g.greetings <- "Welcome, " + member.Email
	}
}

// A webhook is received, over a real connection. [promptrails.SignWebhook] makes a
// request for a test without a server.
func Example_webhook() {
	t := newT() // your test has a *testing.T
	defer t.done()
	s := promptrailstest.New(t, promptrailstest.WithConfig(func(cfg *embedded.Config) { cfg.AllowLoopbackWebhooks = true }))
	g := &greeter{greetings: make(chan string)}
	receiver := httptest.NewServer(g)
	t.Cleanup(receiver.Close)
	channel, err := s.Owner.Notifications.CreateChannel(t.Context(), &promptrails.CreateChannelParams{
		Name: "Greeter", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret(receiver.URL),
		Events: []promptrails.EventType{promptrails.EventMemberJoined},
	})
	if err != nil {
		t.Fatal(err)
	}
	g.secret.Store(&channel.Secret)

	s.NewMember("grace@example.com", promptrails.RoleUser)
	fmt.Println(<-g.greetings)
	// Output:
	// Welcome, grace@example.com
}
