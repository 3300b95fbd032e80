package promptrails

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// ParseWebhook verifies a request of a webhook channel and returns its event. h
// and body are the header and the complete, unmodified body of the request.
// secrets is the channel's secret, or several during a rotation. ParseWebhook
// follows the Standard Webhooks specification
// (https://www.standardwebhooks.com). To set the clock or the tolerance, use a
// [WebhookVerifier].
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
	return WebhookVerifier{Secrets: secrets}.Parse(h, body)
}

// WebhookVerifier verifies requests like [ParseWebhook], with another clock or
// tolerance. It is safe for concurrent use if Now is.
type WebhookVerifier struct {
	Secrets []Secret // of the channel; several during a rotation
	// Tolerance is the maximum time between the signature and now, in both
	// directions. The default is 5 minutes. An attacker may replay a request for
	// this time: keep the [Event.ID] of processed events for twice as long.
	Tolerance time.Duration
	Now       func() time.Time // the default is time.Now
}

const defaultWebhookTolerance = 5 * time.Minute

// Parse verifies a request and returns its event. The errors are those of
// [ParseWebhook], and a [*ValidationError] for a negative Tolerance.
func (v WebhookVerifier) Parse(h http.Header, body []byte) (*Event, error) {
	if err := v.verify(h, body); err != nil {
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

// verify checks the header fields more strictly than the library, which then
// checks the signature.
func (v WebhookVerifier) verify(h http.Header, body []byte) error {
	if v.Tolerance < 0 {
		return invalid("Tolerance", "must not be negative")
	}
	verifiers, err := webhookVerifiers(v.Secrets)
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
	seconds, err := strconv.ParseUint(h.Get(webhooks.HeaderWebhookTimestamp), 10, 60)
	if err != nil {
		return unverified("invalid webhook-timestamp: must be in seconds since 1970")
	}
	if !slices.ContainsFunc(verifiers, func(w *webhooks.Webhook) bool { return w.VerifyIgnoringTimestamp(body, h) == nil }) {
		return unverified("no signature matches a secret")
	}
	return v.checkTime(time.Unix(int64(seconds), 0))
}

// checkTime returns an error if a request was signed too long before or after now.
func (v WebhookVerifier) checkTime(signed time.Time) error {
	now, tolerance := time.Now, cmp.Or(v.Tolerance, defaultWebhookTolerance)
	if v.Now != nil {
		now = v.Now
	}
	if now().Sub(signed).Abs() > tolerance {
		return unverified(fmt.Sprintf("signed more than %s before or after now: check the clocks, and check for replays", tolerance))
	}
	return nil
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
