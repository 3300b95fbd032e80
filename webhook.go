package promptrails

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// ParseWebhook verifies a request of a webhook channel and returns its event. h
// and body are the header and the complete, unmodified body of the request.
// secrets is the channel's secret, or several during a rotation. ParseWebhook
// follows the Standard Webhooks specification
// (https://www.standardwebhooks.com).
//
// If the request is not signed with one of the secrets, or was signed more than
// 5 minutes before or after now, ParseWebhook returns [ErrUnauthorized];
// respond with 401. Empty and malformed secrets are ignored. If there is no
// usable secret, or if the signed body is not an event, ParseWebhook returns a
// [*ValidationError].
//
// Respond with 2xx within 15 seconds, and process the event afterwards. After a
// timeout or another status, the event is sent again, up to 7 times. An event
// may be delivered more than once, and an attacker may replay a request within
// the 5 minutes: store the [Event.ID] of processed events, and respond with 2xx
// to duplicates.
func ParseWebhook(h http.Header, body []byte, secrets ...Secret) (*Event, error) {
	if err := verifyWebhook(h, body, secrets); err != nil {
		return nil, err
	}
	event := new(Event)
	if err := event.UnmarshalJSON(body); err != nil {
		return nil, err
	}
	event.ID = h.Get(webhooks.HeaderWebhookID)
	return event, nil
}

// Limits on the request and, from the specification, on the secret.
const (
	minWebhookSecret    = 24
	maxWebhookSecret    = 64
	maxWebhookID        = 256
	maxWebhookHeader    = 4096
	webhookSecretPrefix = "whsec_"
)

// verifyWebhook checks the header fields more strictly than the library, which
// then checks the signature and the time.
func verifyWebhook(h http.Header, body []byte, secrets []Secret) error {
	verifiers, err := webhookVerifiers(secrets)
	if err != nil {
		return err
	}
	for _, name := range []string{webhooks.HeaderWebhookID, webhooks.HeaderWebhookTimestamp, webhooks.HeaderWebhookSignature} {
		if values := h.Values(name); len(values) != 1 || values[0] == "" || len(values[0]) > maxWebhookHeader {
			return unverified("exactly one header " + name + " is required")
		}
	}
	// A period separates the id from the rest of the signed text.
	if id := h.Get(webhooks.HeaderWebhookID); len(id) > maxWebhookID || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '.' }) {
		return unverified("invalid webhook-id")
	}
	if at := h.Get(webhooks.HeaderWebhookTimestamp); len(at) > 18 || strings.ContainsFunc(at, func(r rune) bool { return r < '0' || r > '9' }) {
		return unverified("invalid webhook-timestamp: must be in seconds since 1970")
	}
	for _, v := range verifiers {
		switch err := v.Verify(body, h); {
		case err == nil:
			return nil
		case errors.Is(err, webhooks.ErrMessageTooOld), errors.Is(err, webhooks.ErrMessageTooNew):
			return unverified("signed more than 5 minutes before or after now: check the clocks, and check for replays")
		}
	}
	return unverified("no signature matches a secret")
}

// webhookVerifiers returns a verifier for each usable secret. It ignores the
// others, since one of several may be unset.
func webhookVerifiers(secrets []Secret) (usable []*webhooks.Webhook, err error) {
	for _, s := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Reveal(), webhookSecretPrefix))
		if err != nil || len(key) < minWebhookSecret || len(key) > maxWebhookSecret {
			continue
		}
		v, err := webhooks.NewWebhookRaw(key)
		if err != nil {
			return nil, invalid("secrets", err.Error())
		}
		usable = append(usable, v)
	}
	if len(usable) == 0 {
		return nil, invalid("secrets", "must contain a secret returned by CreateChannel or RotateSecret: whsec_ followed by 24 to 64 bytes in base64")
	}
	return usable, nil
}

func unverified(reason string) error {
	return fmt.Errorf("promptrails: webhook: %s: %w", reason, ErrUnauthorized)
}
