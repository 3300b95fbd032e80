package promptrailstest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// Keys, tokens and invitations expire when the clock is advanced.
func TestClockExpiry(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t)
	key, err := s.Owner.APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{
		Name: "CI", Scopes: promptrails.Scopes{promptrails.ScopeMembersRead}, ExpiresAt: s.Clock.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	client := s.Client(promptrails.WithAPIKey(key.Key.Reveal()))
	s.Clock.Advance(59 * time.Minute)
	if _, err := client.Members.List(t.Context(), nil); err != nil {
		t.Errorf("Members.List before the key expires: got %v, want no error", err)
	}
	s.Clock.Advance(2 * time.Minute)
	_, err = client.Members.List(t.Context(), nil)
	if e, ok := errors.AsType[*promptrails.Error](err); !ok || e.Code != promptrails.CodeAPIKeyExpired {
		t.Errorf("Members.List after the key has expired: got %v, want code %s", err, promptrails.CodeAPIKeyExpired)
	}

	invitation, err := s.Owner.Invitations.Create(t.Context(), &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser})
	if err != nil {
		t.Fatal(err)
	}
	s.Clock.Advance(invitation.ExpiresAt.Sub(s.Clock.Now()))
	_, err = s.NewUser("grace@example.com").Invitations.Accept(t.Context(), invitation.Token)
	if !errors.Is(err, promptrails.ErrGone) {
		t.Errorf("Invitations.Accept after the invitation has expired: got %v, want ErrGone", err)
	}
}

// The next attempt of a delivery is due when the clock is advanced, and is signed
// with the time of the clock.
func TestClockDeliveries(t *testing.T) {
	t.Parallel()
	s := promptrailstest.New(t, promptrailstest.WithConfig(func(cfg *embedded.Config) { cfg.AllowLoopbackWebhooks = true }))
	type delivery struct {
		header http.Header
		body   []byte
	}
	received := make(chan delivery, 2)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		received <- delivery{r.Header, body}
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(receiver.Close)
	channel, err := s.Owner.Notifications.CreateChannel(t.Context(), &promptrails.CreateChannelParams{
		Name: "Hook", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret(receiver.URL),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Owner.Notifications.TestChannel(t.Context(), channel.ID); err != nil {
		t.Fatal(err)
	}
	<-received
	for { // until the attempt is recorded
		page, err := s.Owner.Notifications.ListDeliveries(t.Context(), channel.ID, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Items[0].Attempts) == 1 {
			break
		}
	}
	s.Clock.Advance(24 * time.Hour)
	second := <-received
	verifier := promptrails.WebhookVerifier{Secrets: []promptrails.Secret{channel.Secret}, Now: s.Clock.Now}
	if event, err := verifier.Parse(second.header, second.body); err != nil || event.Type != promptrails.EventChannelTest {
		t.Errorf("Parse with the clock of the service: got %+v and error %v, want %s", event, err, promptrails.EventChannelTest)
	}
	if _, err := promptrails.ParseWebhook(second.header, second.body, channel.Secret); !errors.Is(err, promptrails.ErrUnauthorized) {
		t.Errorf("ParseWebhook with the real time: got %v, want ErrUnauthorized", err)
	}
}

// A clock starts from the clock of the configuration.
func TestClockBase(t *testing.T) {
	t.Parallel()
	start := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	s := promptrailstest.New(t, promptrailstest.WithConfig(func(cfg *embedded.Config) { cfg.Now = func() time.Time { return start } }))
	if got := s.Workspace.CreatedAt; !got.Equal(start) {
		t.Errorf("CreatedAt of the workspace: got %s, want %s", got, start)
	}
	s.Clock.Advance(time.Hour)
	s.Clock.Advance(time.Minute)
	if got, want := s.Clock.Now(), start.Add(61*time.Minute); !got.Equal(want) {
		t.Errorf("Now: got %s, want %s", got, want)
	}
}
