package promptrails

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// ParseWebhook returns the event of a request that a webhook channel sent: its
// headers and its whole body, unchanged, and the channel's secret, or several
// while it is rotated. It follows the Standard Webhooks specification
// (https://www.standardwebhooks.com).
//
// A request that is not signed with one of the secrets, or was signed more than
// 5 minutes before or after now, is [ErrUnauthorized]: answer 401. A secret that
// is empty or malformed is ignored; if none is usable, or if the body is signed
// but is not an event, ParseWebhook returns a [*ValidationError].
//
// Answer 2xx within 15 seconds, and do the work after that: what takes longer,
// or anything else, is sent again, up to 8 times. The same event may come more
// than once, and an old request may be played back to you within the 5 minutes:
// remember the [Event.ID] of what you have dealt with, and answer 2xx to it.
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

// Bounds of a request; the specification sets those of a secret.
const (
	minWebhookSecret    = 24
	maxWebhookSecret    = 64
	maxWebhookID        = 256
	maxWebhookHeader    = 4096
	webhookSecretPrefix = "whsec_"
)

// verifyWebhook checks what the library lets pass, and lets it check the rest:
// the signature and the time.
func verifyWebhook(h http.Header, body []byte, secrets []Secret) error {
	verifiers, err := webhookVerifiers(secrets)
	if err != nil {
		return err
	}
	for _, name := range []string{webhooks.HeaderWebhookID, webhooks.HeaderWebhookTimestamp, webhooks.HeaderWebhookSignature} {
		if values := h.Values(name); len(values) != 1 || values[0] == "" || len(values[0]) > maxWebhookHeader {
			return unverified("it must have one header " + name)
		}
	}
	// A full stop ends the id in what is signed.
	if id := h.Get(webhooks.HeaderWebhookID); len(id) > maxWebhookID || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '.' }) {
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

// webhookVerifiers returns a verifier for each usable secret: one of several may
// be unset.
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
		return nil, invalid("secrets", "must hold a secret as CreateChannel or RotateSecret returned it: whsec_ and 24 to 64 bytes in base64")
	}
	return usable, nil
}

func unverified(reason string) error {
	return fmt.Errorf("promptrails: webhook: %s: %w", reason, ErrUnauthorized)
}
