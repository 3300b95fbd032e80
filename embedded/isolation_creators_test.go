package embedded_test

import (
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// inAnother is the same person in a workspace more.
func (p *person) inAnother(slug string) *person {
	p.s.t.Helper()
	other := *p
	other.workspace = p.do("POST", "/workspaces", `{"name":"W","slug":"`+slug+`"}`).expect(201).text("id")
	return &other
}

// A key names its creator's membership of its own workspace.
func TestIsolationOfCreators(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	for _, in := range []*person{ada, ada.inAnother("sales"), ada.inAnother("support")} {
		want := in.do("GET", "/members/me", "").expect(200).text("id")
		if got := in.do("GET", "/api-keys/"+in.key(all).id, "").expect(200).text("created_by_member"); got != want {
			t.Errorf("got member %s, want %s", got, want)
		}
	}
}

// A change of plan in one workspace repeats no warning in another.
func TestIsolationOfWarnings(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
	other := ada.inAnother("sales")
	hook := newReceiver(t, nil)
	_, secret := ada.channel(hook.url, `"events":["usage.threshold","usage.limit_reached"]`)
	for range 5 { // of 5
		ada.do("POST", "/data-sources", `{"name":"d"}`).expect(201)
	}
	for range 2 {
		hook.next().event(t, secret)
	}
	other.do("PATCH", "/billing/subscription", `{"plan":"pro"}`).expect(200)
	ids, _ := ada.do("GET", "/data-sources", "").listed()
	ada.do("DELETE", "/data-sources/"+ids[0], "").expect(204)
	ada.do("POST", "/data-sources", `{"name":"d"}`).expect(201)
	ada.do("POST", "/notification-channels/"+ada.firstChannel()+"/test", "").expect(201)
	if event := hook.next().event(t, secret); event.Type != promptrails.EventChannelTest {
		t.Errorf("got %+v again, want the test alone", event)
	}
}
