package embedded_test

import (
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// inAnother creates another workspace, and returns a copy of p that calls the API
// in it.
func (p *person) inAnother(slug string) *person {
	p.s.t.Helper()
	other := *p
	other.workspace = p.do("POST", "/workspaces", `{"name":"W","slug":"`+slug+`"}`).expect(201).text("id")
	return &other
}

// A key names its creator by the member id of the key's workspace.
func TestIsolationOfCreators(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	for _, in := range []*person{ada, ada.inAnother("sales"), ada.inAnother("support")} {
		want := in.do("GET", "/members/me", "").expect(200).text("id")
		if got := in.do("GET", "/api-keys/"+in.key(all).id, "").expect(200).text("created_by_member"); got != want {
			t.Errorf("created_by_member: got %s, want %s", got, want)
		}
	}
}

// A change of plan does not repeat usage warnings in another workspace.
func TestIsolationOfWarnings(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
	other := ada.inAnother("sales")
	hook := newReceiver(t, nil)
	_, secret := ada.channel(hook.url, `"events":["usage.threshold","usage.limit_reached"]`)
	for range 5 { // the limit
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
		t.Errorf("next event: got %+v, want only the test", event)
	}
}
