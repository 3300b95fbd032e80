package promptrailsotel_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// TestSecretsNeverLeak creates and uses secrets of each kind. They must not appear in
// the spans and metrics of the client or the service, and neither must text that a
// client puts into a URL or a header.
func TestSecretsNeverLeak(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := newService(t, embedded.Config{
		AllowLoopbackWebhooks: true, Limits: embedded.Limits{Writers: 4},
		AuthenticateUser: func(_ context.Context, token string) (email, name string, err error) {
			return "", "", errors.New("no user of " + token)
		},
		CheckCredential: func(_ context.Context, _ *promptrails.Credential, value promptrails.Secret) (*promptrails.CredentialCheck, error) {
			return nil, errors.New("the provider does not know " + value.Reveal())
		},
	})
	secrets := map[string]string{ // by description
		"the token of a provider": "planted0provider0token", "the value": "sk-planted0value0planted", "the path of a channel": "planted0path0planted0path",
		"an unknown key": "pr_live_planted0key0planted0key", "an id": "planted0id", "a query": "planted0query", "a path": "planted0place", "a workspace": "planted0workspace",
		"a header": "planted0header", "a body": "planted0body",
	}
	user, err := s.Service.CreateUser(ctx, "grace@example.com", "")
	if err != nil {
		t.Fatal(err)
	}
	secrets["the access token"] = user.AccessToken.Reveal()
	key := s.key(t)
	secrets["the key"] = key.Key.Reveal()
	client := s.over(t, s.recorder, promptrails.WithAPIKey(key.Key.Reveal()))
	grace := s.over(t, s.recorder, promptrails.WithAccessToken(user.AccessToken.Reveal()))

	succeed := func(call string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: got %v, want no error", call, err)
		}
	}
	invitation, err := client.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser})
	succeed("Invitations.Create", err)
	secrets["the invitation"] = invitation.Token.Reveal()
	_, err = grace.Invitations.Accept(ctx, invitation.Token)
	succeed("Invitations.Accept", err)
	credential, err := client.Credentials.Create(ctx, &promptrails.CreateCredentialParams{Name: secrets["a body"], Type: "openai", Value: promptrails.NewSecret(secrets["the value"])})
	succeed("Credentials.Create", err)
	_, err = client.APIKeys.Verify(ctx, &promptrails.VerifyAPIKeyParams{Key: key.Key})
	succeed("APIKeys.Verify", err)
	// No one listens at port 1, so that deliveries fail.
	channel, err := client.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{
		Name: "n", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret("http://127.0.0.1:1/" + secrets["the path of a channel"]),
	})
	succeed("Notifications.CreateChannel", err)
	secrets["the webhook secret"] = channel.Secret.Reveal()
	_, err = client.Notifications.TestChannel(ctx, channel.ID)
	succeed("Notifications.TestChannel", err)
	for attempted := false; !attempted; runtime.Gosched() {
		page, err := client.Notifications.ListDeliveries(ctx, channel.ID, nil)
		succeed("Notifications.ListDeliveries", err)
		attempted = len(page.Items[0].Attempts) > 0
	}
	for call, fails := range map[string]func() error{
		"a failing provider": func() error { _, err := client.Credentials.CheckConnection(ctx, credential.ID); return err },
		"an unknown key": func() error {
			_, err := s.over(t, s.recorder, promptrails.WithAPIKey(secrets["an unknown key"])).Members.List(ctx, nil)
			return err
		},
		"an unknown token": func() error {
			_, err := s.over(t, s.recorder, promptrails.WithAccessToken(secrets["the token of a provider"])).Members.List(ctx, nil)
			return err
		},
		"an unknown id": func() error { _, err := client.Members.Get(ctx, secrets["an id"]); return err },
		"an unknown path": func() error {
			return client.Do(ctx, "GET", "/"+secrets["a path"]+"?q="+secrets["a query"], nil, nil)
		},
		"another workspace": func() error {
			return grace.InWorkspace("").Do(ctx, "GET", "/workspaces/"+secrets["a workspace"], nil, nil)
		},
		"a traceparent": func() error {
			_, err := s.Owner.Members.Get(ctx, secrets["an id"], promptrails.WithHeader("Traceparent", secrets["a header"]), promptrails.WithHeader("Baggage", "k="+secrets["a header"]))
			return err
		},
	} {
		if err := fails(); err == nil {
			t.Errorf("%s: got no error, want one", call)
		}
	}

	s.served(t, 15) // those of clients over the network may end later
	client.CloseIdleConnections()
	var metrics metricdata.ResourceMetrics
	succeed("Collect", s.reader.Collect(ctx, &metrics))
	for source, recorded := range map[string]any{"spans": s.spans.GetSpans(), "metrics": metrics} {
		text, err := json.Marshal(recorded)
		succeed("Marshal", err)
		for name, secret := range secrets {
			for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), base64.RawStdEncoding.EncodeToString([]byte(secret))[:len(secret)]} {
				if strings.Contains(string(text), form) {
					t.Errorf("%s: got %s in them, want no secret", source, name)
				}
			}
		}
		// The search must be able to find a text that is not secret.
		if !strings.Contains(string(text), "/api/v1/credentials/{id}/check") {
			t.Errorf("%s: got no route, want one:\n%s", source, text)
		}
	}
}
