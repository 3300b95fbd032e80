package promptrails

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// ParseWebhook returns the event of a request that a webhook channel sent: its
// headers and its whole body, unchanged, and the channel's secret, or several
// while it is rotated. It follows the Standard Webhooks specification
// (https://www.standardwebhooks.com).
//
// A request that is not signed with one of the secrets, or was signed more than
// 5 minutes before or after now, is [ErrUnauthorized]: answer 401. A secret
// that is not 24 to 64 bytes in base64, and a body that is signed but is no
// event, is a [*ValidationError].
//
// Answer 2xx within 15 seconds, and do the work after that: what takes longer,
// or anything else, is sent again, up to 8 times. The same event may come more
// than once, and an old request may be played back to you within the 5 minutes:
// remember the [Event.ID] of what you have dealt with, and answer 2xx to it.
func ParseWebhook(h http.Header, body []byte, secrets ...Secret) (*Event, error) {
	if err := verifyWebhook(h, body, secrets); err != nil {
		return nil, err
	}
	var sent struct {
		Event
		Data jsontext.Value `json:"data"`
	}
	if err := wire.Decode(body, &sent); err != nil {
		return nil, invalid("body", "is no event: "+err.Error())
	}
	event := sent.Event
	event.ID, event.Raw = h.Get(webhooks.HeaderWebhookID), []byte(sent.Data)
	if event.Type == "" {
		return nil, invalid("body.type", "must not be empty")
	}
	data := event.Type.newData()
	if data == nil {
		return &event, nil
	}
	if len(sent.Data) == 0 || sent.Data.Kind() != '{' {
		return nil, invalid("body.data", "must be an object")
	}
	if err := wire.Decode(sent.Data, data); err != nil {
		return nil, invalid("body.data", "is not that of "+string(event.Type)+": "+err.Error())
	}
	event.Data = data
	return &event, nil
}

// Bounds of what is looked at; the specification sets those of a secret.
const (
	leastWebhookSecret  = 24
	mostWebhookSecret   = 64
	mostWebhookID       = 256
	mostWebhookHeader   = 4096
	webhookSecretPrefix = "whsec_"
)

// verifyWebhook checks what the library lets pass, and lets it check the rest:
// the signature and the time.
func verifyWebhook(h http.Header, body []byte, secrets []Secret) error {
	if len(secrets) == 0 {
		return invalid("secrets", "must hold the secret of the channel")
	}
	verifiers := make([]*webhooks.Webhook, len(secrets))
	for i, s := range secrets {
		var err error
		if verifiers[i], err = webhookVerifier(s); err != nil {
			return err
		}
	}
	for _, name := range []string{webhooks.HeaderWebhookID, webhooks.HeaderWebhookTimestamp, webhooks.HeaderWebhookSignature} {
		if values := h.Values(name); len(values) != 1 || values[0] == "" || len(values[0]) > mostWebhookHeader {
			return unverified("it must have one header " + name)
		}
	}
	// A full stop ends the id in what is signed.
	if id := h.Get(webhooks.HeaderWebhookID); len(id) > mostWebhookID || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '.' }) {
		return unverified("its webhook-id is none")
	}
	if at := h.Get(webhooks.HeaderWebhookTimestamp); len(at) > 18 || strings.ContainsFunc(at, func(r rune) bool { return r < '0' || r > '9' }) {
		return unverified("its webhook-timestamp is not in seconds since 1970")
	}
	for _, v := range verifiers {
		switch err := v.Verify(body, h); {
		case err == nil:
			return nil
		case errors.Is(err, webhooks.ErrMessageTooOld), errors.Is(err, webhooks.ErrMessageTooNew):
			return unverified("it was signed more than 5 minutes before or after now; look at the clocks, and for replays")
		}
	}
	return unverified("no signature is by one of the secrets")
}

func webhookVerifier(s Secret) (*webhooks.Webhook, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Reveal(), webhookSecretPrefix))
	if err != nil || len(key) < leastWebhookSecret || len(key) > mostWebhookSecret {
		return nil, invalid("secrets", "must be as the channel's answer gave them: whsec_ and 24 to 64 bytes in base64")
	}
	return webhooks.NewWebhookRaw(key)
}

func unverified(reason string) error {
	return fmt.Errorf("promptrails: webhook: %s: %w", reason, ErrUnauthorized)
}
