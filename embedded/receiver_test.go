package embedded_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// receiver is a server that receives webhooks.
type receiver struct {
	t    *testing.T
	url  string
	came chan *received
}

// received is a request to a receiver.
type received struct {
	header http.Header
	body   []byte
}

// newReceiver starts a receiver that responds with h. If h is nil, the status is
// 204.
func newReceiver(t *testing.T, h http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{t: t, came: make(chan *received, 1000)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Errorf("body of a webhook: got %v, want no error", err)
		}
		r.came <- &received{request.Header.Clone(), body}
		if h == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h(w, request)
	}))
	t.Cleanup(server.Close)
	r.url = server.URL + "/hooks/planted-path"
	return r
}

// next waits for the next request.
func (r *receiver) next() *received {
	r.t.Helper()
	select {
	case request := <-r.came:
		return request
	case <-r.t.Context().Done():
		r.t.Fatal("receiver: got no request, want one before the test's deadline")
		return nil
	}
}

// id returns the webhook-id.
func (r *received) id() string { return r.header.Get("webhook-id") }

// event verifies the signature against the secrets and returns the event.
func (r *received) event(t *testing.T, secrets ...string) *promptrails.Event {
	t.Helper()
	var keys []promptrails.Secret
	for _, s := range secrets {
		keys = append(keys, promptrails.NewSecret(s))
	}
	event, err := promptrails.ParseWebhook(r.header, r.body, keys...)
	if err != nil {
		t.Fatalf("ParseWebhook of %s: got %v, want an event", r.body, err)
	}
	return event
}

// channel creates a webhook channel for a URL. The rest are further members of
// the request's body. It returns the channel's ID and secret.
func (p *person) channel(url string, rest ...string) (id, secret string) {
	p.s.t.Helper()
	body := fmt.Sprintf(`{"name":"Hook","type":"webhook","url":%q`, url)
	for _, member := range rest {
		body += "," + member
	}
	made := p.do("POST", "/notification-channels", body+"}").expect(201)
	return made.text("id"), made.text("secret")
}

// deliveries waits until the deliveries of a channel satisfy want, and returns
// them.
func (p *person) deliveries(channel string, want func([]promptrails.Delivery) bool) []promptrails.Delivery {
	p.s.t.Helper()
	for {
		var page struct{ Data []promptrails.Delivery }
		p.do("GET", "/notification-channels/"+channel+"/deliveries", "").expect(200).decode(&page)
		if want(page.Data) {
			return page.Data
		}
		if p.s.t.Context().Err() != nil {
			p.s.t.Fatalf("deliveries of channel %s: got %+v, which do not satisfy want before the test's deadline", channel, page.Data)
		}
		runtime.Gosched()
	}
}

// ended returns a condition for [person.deliveries]: there are n deliveries, and
// all of them are delivered or failed.
func ended(n int) func([]promptrails.Delivery) bool {
	return func(all []promptrails.Delivery) bool {
		for _, d := range all {
			if d.Status == promptrails.DeliveryPending {
				return false
			}
		}
		return len(all) == n
	}
}

// signature returns the signature of a request, as the Standard Webhooks
// specification defines it.
func signature(t *testing.T, secret string, r *received) string {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", r.id(), r.header.Get("webhook-timestamp"), r.body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
