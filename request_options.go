package promptrails

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// RequestOption configures one call. A nil RequestOption has no effect.
type RequestOption func(*requestOptions)

type requestOptions struct {
	header         http.Header // in canonical form; nil without options
	idempotencyKey string
	prefetch       int
	response       *Response
	err            error // from the first invalid option
}

func newRequestOptions(opts []RequestOption) requestOptions {
	if len(opts) == 0 {
		return requestOptions{prefetch: defaultPrefetch} // which the following code would allocate
	}
	o := requestOptions{header: http.Header{}, prefetch: defaultPrefetch}
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

// WithIdempotencyKey sets the Idempotency-Key of a POST, PATCH, PUT or DELETE.
// The default is a random key. A later run of the program can repeat the call
// with the same key without performing it twice. The key must be 1 to 255
// visible ASCII characters. It has no effect on GET.
func WithIdempotencyKey(key string) RequestOption {
	return func(o *requestOptions) {
		if !policy.VisibleASCII(key) || len(key) > 255 {
			o.fail("Idempotency-Key", "must be 1 to 255 visible ASCII characters")
		}
		o.idempotencyKey = key
	}
}

// WithRequestID sets the request id, which appears in the server's logs and in
// errors. It must be 1 to 128 visible ASCII characters. By default, the server
// generates it.
func WithRequestID(id string) RequestOption {
	return func(o *requestOptions) {
		if !policy.VisibleASCII(id) || len(id) > 128 {
			o.fail("X-Request-ID", "must be 1 to 128 visible ASCII characters")
		}
		o.header.Set("X-Request-ID", id)
	}
}

// WithIfMatch performs a change only if the object has the given version.
// Otherwise the call returns [ErrPreconditionFailed].
func WithIfMatch(version int64) RequestOption {
	return func(o *requestOptions) { o.header.Set("If-Match", strconv.Quote(strconv.FormatInt(version, 10))) }
}

const defaultPrefetch = 1

// maxPrefetch limits [WithPrefetch], and thereby the memory of an iteration.
const maxPrefetch = 64

// WithPrefetch sets how many pages All fetches ahead of the current page. The
// default is 1, the maximum is 64, and 0 disables prefetching. All holds at
// most pages+1 pages in memory.
//
// If pages is more than 1, All requests up to pages+1 pages at the same time, in
// two cases: from a changelog that is filtered by sequence only, and from a list
// with page numbers whose first page has its total and at least three pages after
// it. All then requests the first item again at the end, and if the list has
// changed, it reads the list again. If the server returns cursors, as the embedded
// service does, one request follows another: a cursor is in the previous page, and
// page numbers shift when an item is added or deleted.
func WithPrefetch(pages int) RequestOption {
	return func(o *requestOptions) {
		if pages < 0 {
			o.fail("WithPrefetch", "must not be negative")
		}
		o.prefetch = min(pages, maxPrefetch)
	}
}

// WithHeader sets a header of the request. Headers for authentication, the
// workspace or message framing, and headers with a separate option, are a
// [*ValidationError].
func WithHeader(k, v string) RequestOption {
	return func(o *requestOptions) {
		key := textproto.CanonicalMIMEHeaderKey(k)
		switch {
		case reserved[key] != "":
			o.fail("WithHeader", "cannot set "+key+": "+reserved[key])
		case !validHeaderName(key):
			o.fail("WithHeader", "must have a header name of letters, digits and hyphens")
		case v != "" && !validHeaderValue(v):
			o.fail("WithHeader", "must have a value of visible ASCII characters and spaces for "+key)
		default:
			o.header.Set(key, v)
		}
	}
}

const (
	authenticates = "the client sets authentication headers"
	frames        = "the client sets message framing headers"
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

// WithResponse stores a description of the response in r, even if the call
// returns an error. Without a response, r is unchanged. In All, r describes the
// page of the current item and is set before the item is yielded.
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
	Replayed  bool // the server replayed the stored response of an earlier request
}

// RateLimit is the caller's rate limit, from the headers of the response. It is
// zero if the server has no limit.
type RateLimit struct {
	Limit     int
	Remaining int
	Reset     time.Duration // time until Remaining equals Limit again
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
