// Package notify makes one attempt to send a notification: it checks the
// address, signs the request and reports the result. The caller schedules the
// attempts.
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

// The limits of an attempt.
const (
	Timeout         = 15 * time.Second
	maxResponseSize = 64 << 10 // bytes, of the body and of the header
)

// Message is one notification.
type Message struct {
	URL     string
	ID      string // the webhook-id
	Body    []byte // the event
	At      time.Time
	Slack   bool     // send an unsigned Slack message
	Secrets []string // secrets of a webhook; each adds a signature
}

// Result is the result of an attempt.
type Result struct {
	StatusCode int           // 0: no response
	Fault      string        // empty: delivered
	RetryAfter time.Duration // the Retry-After of a 429 or 503 response, or 0
	Duration   time.Duration
}

// Sender sends notifications to public addresses. It is safe for concurrent
// use.
type Sender struct {
	Guard
	client *http.Client
}

// NewSender returns a Sender that only connects to addresses g allows. It does
// not follow redirects or use a proxy, because both would bypass the guard.
func NewSender(g Guard) *Sender {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Resolver: g.Resolver, Control: g.guardian().Safe}
	return &Sender{Guard: g, client: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, MaxResponseHeaderBytes: maxResponseSize,
			DisableCompression: true, ForceAttemptHTTP2: true, MaxIdleConns: 64, IdleConnTimeout: 30 * time.Second,
		},
	}}
}

// Close closes idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send makes one attempt. The message is delivered if the receiver returns a
// complete 2xx response within [Timeout].
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
		result.Fault = fmt.Sprintf("the receiver returned status %d; redirects are not followed", status)
	case status/100 != 2:
		result.Fault = fmt.Sprintf("the receiver returned status %d", status)
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
	defer func() { _ = response.Body.Close() }() // the body is discarded
	n, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxResponseSize+1))
	if err == nil && n > maxResponseSize {
		err = errTooLong
	}
	return response.StatusCode, response.Header, err
}

// retryAfter parses Retry-After, either seconds or a date (RFC 9110, section
// 10.2.3). It returns 0 if the header is missing or invalid.
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

var errTooLong = errors.New("the response exceeds 64 KiB")

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

// NewSecret encodes 24 to 64 random bytes as a webhook secret.
func NewSecret(random []byte) string { return secretPrefix + base64.StdEncoding.EncodeToString(random) }

// Sign returns a signature of body, as defined by Standard Webhooks.
func Sign(secret, id string, at time.Time, body []byte) (string, error) {
	key, err := webhooks.NewWebhook(secret)
	if err != nil {
		return "", errors.New("invalid webhook secret")
	}
	return key.Sign(id, at, body)
}

// describe returns a description of err without the URL, which is a secret, and
// without the resolved addresses, which may be internal.
func describe(err error) string {
	if isRefused(err) {
		return "the URL resolves to an address that is not public"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the host name cannot be resolved"
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return fmt.Sprintf("the request timed out after %s", Timeout)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate is for another host name"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the certificate is signed by an unknown authority"
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		return "the certificate is invalid"
	}
	switch {
	case errors.Is(err, errTooLong):
		return err.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "the connection was closed"
	default:
		return "the request failed"
	}
}
