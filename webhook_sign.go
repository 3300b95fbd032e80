package promptrails

import (
	"net/http"
	"strconv"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// SignWebhook returns the header of a webhook request with the given webhook-id,
// time and body, signed with secret like the requests of a channel. Use it to
// test a receiver, without a server. For a secret that is not a channel's, encode
// 24 to 64 bytes with base64 and add the prefix whsec_. SignWebhook panics if the
// secret has another form.
func SignWebhook(secret Secret, id string, at time.Time, body []byte) http.Header {
	signers, err := webhookVerifiers([]Secret{secret})
	if err != nil {
		panic("promptrails: SignWebhook: " + err.Error())
	}
	signature, err := signers[0].Sign(id, at, body)
	if err != nil {
		panic("promptrails: SignWebhook: " + err.Error())
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set(webhooks.HeaderWebhookID, id)
	h.Set(webhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	h.Set(webhooks.HeaderWebhookSignature, signature)
	return h
}
