package promptrails_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// webhookSecret returns a secret of size bytes, each of them b.
func webhookSecret(b byte, size int) promptrails.Secret {
	return promptrails.NewSecret("whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{b}, size)))
}

// joined is the body of a delivery.
const joined = `{"type":"member.joined","timestamp":"2026-01-02T03:04:05.000006Z","workspace_id":"w","data":{"member_id":"m","user_id":"u","email":"grace@example.com","name":"Grace","role":"user","new":1}}`

// signed returns the headers of a delivery msg_1 with the current time.
func signed(tb testing.TB, body string, secrets ...promptrails.Secret) http.Header {
	tb.Helper()
	return signedAs(tb, "msg_1", body, secrets...)
}

// signedAs returns the headers of a delivery with the given id and the current
// time, signed with each secret.
func signedAs(tb testing.TB, id, body string, secrets ...promptrails.Secret) http.Header {
	tb.Helper()
	at := time.Now()
	var signatures []string
	for _, secret := range secrets {
		key := must[*webhooks.Webhook](tb)(webhooks.NewWebhook(secret.Reveal()))
		signatures = append(signatures, must[string](tb)(key.Sign(id, at, []byte(body))))
	}
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", strings.Join(signatures, " "))
	return h
}

func TestParseWebhook(t *testing.T) {
	t.Parallel()
	secret, other := webhookSecret(1, 32), webhookSecret(2, 32)
	want := &promptrails.Event{
		ID: "msg_1", Type: promptrails.EventMemberJoined, Timestamp: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), WorkspaceID: "w",
		Data: &promptrails.MemberEvent{MemberID: "m", UserID: "u", Email: "grace@example.com", Name: "Grace", Role: promptrails.RoleUser},
		Raw:  json.RawMessage(`{"member_id":"m","user_id":"u","email":"grace@example.com","name":"Grace","role":"user","new":1}`),
	}
	// One valid signature is enough, so that the sender and the receiver can
	// rotate their secrets at different times.
	for name, c := range map[string]struct{ signedBy, known []promptrails.Secret }{
		"one of each":          {[]promptrails.Secret{secret}, []promptrails.Secret{secret}},
		"the sender rotates":   {[]promptrails.Secret{other, secret}, []promptrails.Secret{secret}},
		"the receiver rotates": {[]promptrails.Secret{secret}, []promptrails.Secret{other, secret}},
		"without the prefix":   {[]promptrails.Secret{secret}, []promptrails.Secret{promptrails.NewSecret(strings.TrimPrefix(secret.Reveal(), "whsec_"))}},
	} {
		t.Run(name, func(t *testing.T) {
			event, err := promptrails.ParseWebhook(signed(t, joined, c.signedBy...), []byte(joined), c.known...)
			if diff := cmp.Diff(want, event); diff != "" || err != nil {
				t.Errorf("ParseWebhook: got error %v, and a difference (-want +got):\n%s", err, diff)
			}
		})
	}
	t.Run("an unknown event", func(t *testing.T) {
		unknown := `{"type":"moon.full","timestamp":"2026-01-02T03:04:05Z","workspace_id":"w","data":[1]}`
		event, err := promptrails.ParseWebhook(signed(t, unknown, secret), []byte(unknown), secret)
		if err != nil || event.Type != "moon.full" || event.Data != nil || string(event.Raw) != "[1]" || event.ID != "msg_1" {
			t.Errorf("ParseWebhook: got %+v and error %v, want type moon.full with Raw [1] and no Data", event, err)
		}
	})
	for _, e := range promptrails.EventTypes() {
		t.Run(string(e), func(t *testing.T) {
			body := `{"type":"` + string(e) + `","data":{}}`
			if event, err := promptrails.ParseWebhook(signed(t, body, secret), []byte(body), secret); err != nil || event.Data == nil {
				t.Errorf("ParseWebhook: got %+v and error %v, want Data", event, err)
			}
		})
	}
}

func TestParseWebhookUnauthorized(t *testing.T) {
	t.Parallel()
	secret := webhookSecret(1, 32)
	with := func(name string, values ...string) http.Header {
		h := signed(t, joined, secret)
		h[http.CanonicalHeaderKey(name)] = values
		return h
	}
	stamp := signed(t, joined, secret).Get("webhook-timestamp")
	signature := signed(t, joined, secret).Get("webhook-signature")
	for name, c := range map[string]struct {
		header http.Header
		body   string
	}{
		"another body":        {signed(t, joined, secret), joined + " "},
		"another secret":      {signed(t, joined, webhookSecret(2, 32)), joined},
		"no headers":          {http.Header{}, joined},
		"no id":               {with("webhook-id"), joined},
		"another id":          {with("webhook-id", "msg_2"), joined},
		"two ids":             {with("webhook-id", "msg_1", "msg_1"), joined},
		"an id with a dot":    {signedAs(t, "msg.1", joined, secret), joined},
		"a long id":           {signedAs(t, strings.Repeat("m", 257), joined, secret), joined},
		"an id with a space":  {signedAs(t, "msg 1", joined, secret), joined},
		"no timestamp":        {with("webhook-timestamp"), joined},
		"a timestamp with +":  {with("webhook-timestamp", "+"+stamp), joined},
		"a future timestamp":  {with("webhook-timestamp", "9999999999999999999"), joined},
		"no signature":        {with("webhook-signature"), joined},
		"an empty signature":  {with("webhook-signature", ""), joined},
		"a signature v1,":     {with("webhook-signature", "v1,"), joined},
		"another version":     {with("webhook-signature", "v2"+strings.TrimPrefix(signature, "v1")), joined},
		"too many signatures": {with("webhook-signature", strings.Repeat("v1,x ", 1000)+signature), joined},
	} {
		t.Run(name, func(t *testing.T) {
			if event, err := promptrails.ParseWebhook(c.header, []byte(c.body), secret); !errors.Is(err, promptrails.ErrUnauthorized) || event != nil {
				t.Errorf("ParseWebhook: got %+v and error %v, want no event and ErrUnauthorized", event, err)
			}
		})
	}
}

// Secrets have 24 to 64 bytes.
func TestParseWebhookSecrets(t *testing.T) {
	t.Parallel()
	secret := webhookSecret(1, 32)
	for name, secrets := range map[string][]promptrails.Secret{
		"no secrets": nil, "empty": {{}}, "one byte": {webhookSecret(1, 1)}, "23 bytes": {webhookSecret(1, 23)}, "65 bytes": {webhookSecret(1, 65)},
		"invalid base64": {promptrails.NewSecret("whsec_planted!")}, "two invalid": {{}, webhookSecret(1, 2)},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := promptrails.ParseWebhook(signed(t, joined, secret), []byte(joined), secrets...)
			v, ok := errors.AsType[*promptrails.ValidationError](err)
			if !ok || v.Fields["secrets"] == "" || strings.Contains(err.Error(), "planted") {
				t.Errorf("ParseWebhook: got %v, want a ValidationError for secrets without their text", err)
			}
		})
	}
	// Invalid secrets are ignored if at least one is valid.
	if _, err := promptrails.ParseWebhook(signed(t, joined, secret), []byte(joined), promptrails.Secret{}, webhookSecret(1, 2), secret); err != nil {
		t.Errorf("ParseWebhook with one valid secret of three: got %v, want no error", err)
	}
	for _, size := range []int{24, 64} {
		if _, err := promptrails.ParseWebhook(signed(t, joined, webhookSecret(1, size)), []byte(joined), webhookSecret(1, size)); err != nil {
			t.Errorf("ParseWebhook with a secret of %d bytes: got %v, want no error", size, err)
		}
	}
}

// A signed body that is not an event is a validation error.
func TestParseWebhookMalformedBody(t *testing.T) {
	t.Parallel()
	secret := webhookSecret(1, 32)
	for _, body := range []string{
		``, `null`, `[]`, `{}`, `{"type":""}`, `{"type":"member.joined"}`, `{"type":"member.joined","data":null}`, `{"type":"member.joined","data":[]}`,
		`{"type":"member.joined","data":{"email":1}}`, `{"type":"a","type":"b"}`, `{"type":"a"}{}`, `{"type":"a","timestamp":"now"}`, "{\"type\":\"\xff\"}",
	} {
		t.Run(body, func(t *testing.T) {
			if _, err := promptrails.ParseWebhook(signed(t, body, secret), []byte(body), secret); !errors.Is(err, promptrails.ErrValidation) {
				t.Errorf("ParseWebhook: got %v, want ErrValidation", err)
			}
		})
	}
}

// A timestamp is valid for 5 minutes.
func TestParseWebhookTolerance(t *testing.T) {
	t.Parallel()
	secret := webhookSecret(1, 32)
	synctest.Test(t, func(t *testing.T) {
		h := signed(t, joined, secret)
		parse := func() error { _, err := promptrails.ParseWebhook(h, []byte(joined), secret); return err }
		time.Sleep(5 * time.Minute)
		if err := parse(); err != nil {
			t.Errorf("ParseWebhook after 5 minutes: got %v, want no error", err)
		}
		time.Sleep(time.Second)
		if err := parse(); !errors.Is(err, promptrails.ErrUnauthorized) || !strings.Contains(err.Error(), "5m0s") {
			t.Errorf("ParseWebhook after 5 minutes and 1 second: got %v, want ErrUnauthorized that mentions 5m0s", err)
		}
	})
}

func FuzzParseWebhook(f *testing.F) {
	secret := webhookSecret(1, 32)
	f.Add([]byte(joined), "msg_1", "1767323045", "v1,x")
	f.Add([]byte(`{"type":"usage.threshold","data":{"used":1e999}}`), "", "+1", "v1,")
	f.Fuzz(func(t *testing.T, body []byte, id, at, signature string) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {at}, "Webhook-Signature": {signature}}
		if event, err := promptrails.ParseWebhook(h, body, secret); err == nil {
			t.Errorf("ParseWebhook of an unsigned body: got %+v and no error, want an error", event)
		}
		// With a valid signature, the result is an event or a validation error.
		event, err := promptrails.ParseWebhook(signed(t, string(body), secret), body, secret)
		if err != nil && !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("ParseWebhook of a signed body: got %v, want an event or ErrValidation", err)
		}
		if (event == nil) != (err != nil) || event != nil && event.Type == "" {
			t.Errorf("ParseWebhook of a signed body: got %+v and error %v, want either an event with a type or an error", event, err)
		}
	})
}
