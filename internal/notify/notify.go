// Package notify sends one notification, once: it guards the address, signs,
// and says what came of it. When to send, and when again, is not its to say.
package notify

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// What a receiver may take.
const (
	Timeout   = 15 * time.Second
	maxAnswer = 64 << 10 // bytes
)

// Message is one notification.
type Message struct {
	URL     string
	ID      string // the webhook-id
	Body    []byte // the event
	At      time.Time
	Slack   bool     // send it as a Slack message, unsigned
	Secrets []string // what a webhook is signed with: each makes a signature
}

// Result is what came of an attempt.
type Result struct {
	StatusCode int           // 0: no answer was had
	Fault      string        // empty: it was delivered
	RetryAfter time.Duration // as a receiver that is busy asks; 0: it did not
	Duration   time.Duration
}

// Sender sends notifications to public addresses. It is safe for concurrent
// use.
type Sender struct {
	Guard
	client *http.Client
}

// NewSender returns a sender behind a guard. It follows no redirect, and knows
// no proxy: both would lead past the guard.
func NewSender(g Guard) *Sender {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Resolver: g.Resolver, Control: g.guardian().Safe}
	return &Sender{Guard: g, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: maxAnswer,
			DisableCompression: true, ForceAttemptHTTP2: true, MaxIdleConns: 64, IdleConnTimeout: 30 * time.Second,
		},
	}}
}

// Close closes connections that are idle.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send makes one attempt. A receiver has it when it has answered 2xx, to the
// end of the answer.
func (s *Sender) Send(ctx context.Context, m *Message) *Result {
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	status, header, err := s.send(ctx, m)
	result := &Result{StatusCode: status, Duration: time.Since(started)}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		result.RetryAfter = retryAfter(header, time.Now())
	}
	switch {
	case err != nil:
		result.Fault = describe(err)
	case status/100 == 3:
		result.Fault = fmt.Sprintf("it answered %d, and no redirect is followed", status)
	case status/100 != 2:
		result.Fault = fmt.Sprintf("it answered %d", status)
	}
	return result
}

func (s *Sender) send(ctx context.Context, m *Message) (status int, header http.Header, err error) {
	request, err := newRequest(ctx, m)
	if err != nil {
		return 0, nil, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }() // it was read, or is of no use
	n, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && n > maxAnswer {
		err = errTooLong
	}
	return response.StatusCode, response.Header, err
}

// retryAfter reads Retry-After in seconds or as a date (RFC 9110, section
// 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	seconds, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

var errTooLong = errors.New("its answer has more than 64 KiB")

func newRequest(ctx context.Context, m *Message) (*http.Request, error) {
	body := m.Body
	if m.Slack {
		var err error
		if body, err = slackMessage(m.Body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "promptrails-go")
	if m.Slack {
		return request, nil
	}
	signatures := make([]string, len(m.Secrets))
	for i, secret := range m.Secrets {
		if signatures[i], err = Sign(secret, m.ID, m.At, body); err != nil {
			return nil, err
		}
	}
	request.Header.Set(webhooks.HeaderWebhookID, m.ID)
	request.Header.Set(webhooks.HeaderWebhookTimestamp, strconv.FormatInt(m.At.Unix(), 10))
	request.Header.Set(webhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return request, nil
}

const secretPrefix = "whsec_"

// NewSecret writes 24 to 64 random bytes as the secret of a webhook.
func NewSecret(random []byte) string { return secretPrefix + base64.StdEncoding.EncodeToString(random) }

// Sign returns a signature by the Standard Webhooks specification.
func Sign(secret, id string, at time.Time, body []byte) (string, error) {
	key, err := webhooks.NewWebhook(secret)
	if err != nil {
		return "", errors.New("the secret is none")
	}
	return key.Sign(id, at, body)
}

// describe says what went wrong without the URL, which is a secret, and without
// what a name resolves to, which may be nobody's business.
func describe(err error) string {
	if isRefused(err) {
		return "it leads to an address that is not public"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "its name does not resolve"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Sprintf("it took more than %s", Timeout)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "its certificate is for another name"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "its certificate is by an authority that is not known"
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return "its certificate is not valid"
	}
	switch {
	case errors.Is(err, errTooLong):
		return err.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "it refused the connection"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection broke off"
	default:
		return "the request failed"
	}
}
