package promptrails_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Test a receiver without a server.
func ExampleSignWebhook() {
	secret := promptrails.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	receiver := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			return
		}
		event, err := promptrails.ParseWebhook(r.Header, body, secret)
		if err != nil {
			http.Error(w, "not signed", http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprint(w, event.ID, " ", event.Type)
	})

	body, err := promptrails.Event{
		Type: promptrails.EventMemberJoined, WorkspaceID: "2N8Dx8a2a1qUspBKbP02vqP29eH",
		Data: &promptrails.MemberEvent{Email: "grace@example.com", Role: promptrails.RoleUser},
	}.MarshalJSON()
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{string(body), strings.Replace(string(body), "grace", "mallory", 1)} {
		r := httptest.NewRequest(http.MethodPost, "/hooks", strings.NewReader(text))
		r.Header = promptrails.SignWebhook(secret, "msg_1", time.Now(), body)
		w := httptest.NewRecorder()
		receiver.ServeHTTP(w, r)
		fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	}
	// Output:
	// 200 msg_1 member.joined
	// 401 not signed
}

// A request that SignWebhook makes is accepted by ParseWebhook and by the library of
// the specification.
func TestSignWebhook(t *testing.T) {
	t.Parallel()
	for _, size := range []int{24, 32, 64} {
		secret := webhookSecret(1, size)
		h := promptrails.SignWebhook(secret, "msg_1", time.Now(), []byte(joined))
		if event, err := promptrails.ParseWebhook(h, []byte(joined), secret); err != nil || event.ID != "msg_1" {
			t.Errorf("ParseWebhook with a secret of %d bytes: got %+v and error %v, want the event msg_1", size, event, err)
		}
		if err := must[*webhooks.Webhook](t)(webhooks.NewWebhook(secret.Reveal())).Verify([]byte(joined), h); err != nil {
			t.Errorf("Verify of the library with a secret of %d bytes: got %v, want no error", size, err)
		}
	}
}

func TestSignWebhookMalformedSecret(t *testing.T) {
	t.Parallel()
	for _, secret := range []promptrails.Secret{{}, promptrails.NewSecret("whsec_planted!"), webhookSecret(1, 23)} {
		func() {
			defer func() {
				if fault := recover(); fault == nil || strings.Contains(fmt.Sprint(fault), "planted") {
					t.Errorf("SignWebhook with a malformed secret: got panic %v, want one without the secret", fault)
				}
			}()
			promptrails.SignWebhook(secret, "msg_1", time.Now(), []byte(joined))
		}()
	}
}

// A verifier has its own clock and tolerance.
func TestWebhookVerifier(t *testing.T) {
	t.Parallel()
	secret, signedAt := webhookSecret(1, 32), time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	h := promptrails.SignWebhook(secret, "msg_1", signedAt, []byte(joined))
	for _, c := range []struct {
		tolerance, after time.Duration
		accepted         bool
	}{
		{0, 5 * time.Minute, true},
		{0, 5*time.Minute + 1, false},
		{0, -5 * time.Minute, true},
		{0, -5*time.Minute - 1, false},
		{time.Hour, time.Hour, true},
		{time.Hour, time.Hour + 1, false},
		{time.Second, 2 * time.Second, false},
		{time.Second, -2 * time.Second, false},
	} {
		v := promptrails.WebhookVerifier{Secrets: []promptrails.Secret{secret}, Tolerance: c.tolerance, Now: func() time.Time { return signedAt.Add(c.after) }}
		event, err := v.Parse(h, []byte(joined))
		if c.accepted && (err != nil || event.ID != "msg_1") {
			t.Errorf("Parse after %s with tolerance %s: got %+v and error %v, want the event", c.after, c.tolerance, event, err)
		}
		if !c.accepted && (!errors.Is(err, promptrails.ErrUnauthorized) || event != nil) {
			t.Errorf("Parse after %s with tolerance %s: got %+v and error %v, want no event and ErrUnauthorized", c.after, c.tolerance, event, err)
		}
	}
	_, err := promptrails.WebhookVerifier{Secrets: []promptrails.Secret{secret}, Tolerance: -1}.Parse(h, []byte(joined))
	if v, ok := errors.AsType[*promptrails.ValidationError](err); !ok || v.Fields["Tolerance"] == "" {
		t.Errorf("Parse with a negative tolerance: got %v, want a ValidationError for Tolerance", err)
	}
}
