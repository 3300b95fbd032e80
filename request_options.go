package promptrails

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// RequestOption changes one call. A nil RequestOption has no effect.
type RequestOption func(*requestOptions)

type requestOptions struct {
	header         http.Header // in canonical form
	idempotencyKey string
	prefetch       int
	response       *Response
	err            error // the first option that was wrong
}

func newRequestOptions(opts []RequestOption) requestOptions {
	o := requestOptions{header: http.Header{}, prefetch: 1}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	return o
}

func (o *requestOptions) fail(field, problem string) {
	if o.err == nil {
		o.err = invalid(field, problem)
	}
}

// WithIdempotencyKey names this POST, PATCH, PUT or DELETE instead of a key
// made at random, so that a later run of the program can repeat it and have
// it done once: 1 to 255 visible ASCII characters. It has no effect on a GET.
func WithIdempotencyKey(key string) RequestOption {
	return func(o *requestOptions) {
		if !policy.VisibleASCII(key) || len(key) > 255 {
			o.fail("Idempotency-Key", "must be 1 to 255 visible ASCII characters")
		}
		o.idempotencyKey = key
	}
}

// WithRequestID names this request in the server's logs and in errors: 1 to 128
// visible ASCII characters. Without it the server makes one.
func WithRequestID(id string) RequestOption {
	return func(o *requestOptions) {
		if !policy.VisibleASCII(id) || len(id) > 128 {
			o.fail("X-Request-ID", "must be 1 to 128 visible ASCII characters")
		}
		o.header.Set("X-Request-ID", id)
	}
}

// WithIfMatch lets a change happen only while the object has this version:
// [ErrPreconditionFailed] when it has moved on.
func WithIfMatch(version int64) RequestOption {
	return func(o *requestOptions) { o.header.Set("If-Match", strconv.Quote(strconv.FormatInt(version, 10))) }
}

// maxPrefetch bounds [WithPrefetch], and so the memory and the requests that one
// iteration takes.
const maxPrefetch = 64

// WithPrefetch sets how many pages All fetches ahead of the one that the caller
// works on: 1 by default, 0 for none, 64 at most. It holds at most that many
// pages and one.
func WithPrefetch(pages int) RequestOption {
	return func(o *requestOptions) {
		if pages < 0 {
			o.fail("WithPrefetch", "must be 0 pages or more")
		}
		o.prefetch = min(pages, maxPrefetch)
	}
}

// WithHeader sets a header of the request. Those that authenticate, name the
// workspace, frame the message or have an option of their own are refused.
func WithHeader(k, v string) RequestOption {
	return func(o *requestOptions) {
		key := textproto.CanonicalMIMEHeaderKey(k)
		switch {
		case reserved[key] != "":
			o.fail("WithHeader", "cannot set "+key+": "+reserved[key])
		case !validHeaderName(key):
			o.fail("WithHeader", "needs a header name of letters, digits and hyphens")
		case v != "" && !validHeaderValue(v):
			o.fail("WithHeader", "needs a value of visible ASCII characters and spaces for "+key)
		default:
			o.header.Set(key, v)
		}
	}
}

const (
	authenticates = "authentication is the client's"
	frames        = "it frames the message"
)

var reserved = map[string]string{
	"Authorization": authenticates, "X-Api-Key": authenticates, "Cookie": authenticates, "Proxy-Authorization": authenticates,
	"X-Workspace-Id": "use InWorkspace",
	"Host":           frames, "Content-Length": frames, "Content-Type": frames, "Content-Encoding": frames, "Transfer-Encoding": frames,
	"Connection": frames, "Keep-Alive": frames, "Upgrade": frames, "Te": frames, "Trailer": frames, "Expect": frames,
	"Accept": "responses are JSON", "Accept-Encoding": frames, "Range": frames,
	"Idempotency-Key": "use WithIdempotencyKey", "X-Request-Id": "use WithRequestID", "If-Match": "use WithIfMatch",
	"User-Agent": "use WithUserAgent",
}

func validHeaderName(s string) bool {
	return s != "" && strings.Trim(s, "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == ""
}

// WithResponse fills in r when a response was received, also if the call returns
// an error. In All, r describes the page that an item came from, and is set
// before the item is yielded.
func WithResponse(r *Response) RequestOption {
	return func(o *requestOptions) { o.response = r }
}

// Response describes the response to a call.
type Response struct {
	Status    int
	Header    http.Header
	RequestID string
	RateLimit RateLimit
	Attempts  int
	Replayed  bool // the server did this before, and repeats its response
}

// RateLimit is what the server says of the caller's rate. It is all zero where
// no limit is set.
type RateLimit struct {
	Limit     int
	Remaining int
	Reset     time.Duration // until Remaining is Limit again
}

func newResponse(r *http.Response, attempts int) *Response {
	number := func(name string) int {
		n, err := strconv.Atoi(r.Header.Get(name))
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	return &Response{
		Status:    r.StatusCode,
		Header:    r.Header,
		RequestID: r.Header.Get("X-Request-ID"),
		RateLimit: RateLimit{
			Limit:     number("X-RateLimit-Limit"),
			Remaining: number("X-RateLimit-Remaining"),
			Reset:     time.Duration(min(number("X-RateLimit-Reset"), 1<<31)) * time.Second,
		},
		Attempts: attempts,
		Replayed: r.Header.Get("Idempotency-Replayed") == "true",
	}
}
