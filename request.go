package promptrails

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"sync"

	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// call is one request of a service method, before it is built.
type call struct {
	op    operation
	ids   []string // the values of the path template, in order
	raw   *url.URL // instead of the template and query, for Client.Do
	query any      // a pointer to a struct for go-querystring, or url.Values
	body  any
	as    *credentials // instead of the client's own
	opts  []RequestOption
}

// one sends a call and returns the object of its response.
func one[T any](ctx context.Context, c *Client, call call) (*T, error) {
	var response object[T]
	if err := c.send(ctx, call, &response); err != nil {
		return nil, err
	}
	return response.Data.value, nil
}

// none sends a call whose response has no data.
func none(ctx context.Context, c *Client, call call) error { return c.send(ctx, call, nil) }

// omittedBody is the body of a call whose required parameters are nil.
type omittedBody struct{}

func required[T any](params *T) any {
	if params == nil {
		return omittedBody{}
	}
	return params
}

// send builds a request, sends it as often as the retry rules allow, and decodes the
// response into out, which is nil if no data is expected.
func (c *Client) send(ctx context.Context, call call, out receiver) error {
	options := newRequestOptions(call.opts)
	query, payload, err := c.prepare(ctx, call, options.err)
	if err != nil {
		return err
	}
	isWatched := c.conn.observer != nil || c.conn.logger.Enabled(ctx, slog.LevelInfo)
	if !isWatched { // a refused call is not built
		if err := c.checkScope(ctx, call.op); err != nil {
			return err
		}
	}
	ex := &exchange{conn: c.conn, credentials: c.conn.credentials, op: call.op, ids: call.ids, body: call.body, payload: payload, out: out, response: options.response}
	if call.as != nil {
		ex.credentials = *call.as
	}
	req := c.build(call, query, &options, ex)
	if !isWatched {
		return c.exchange(ctx, ex, req)
	}
	return c.observe(ctx, ex, func(ctx context.Context) error {
		if err := c.checkScope(ctx, call.op); err != nil {
			return err
		}
		return c.exchange(ctx, ex, req)
	})
}

// exchange sends a call.
func (c *Client) exchange(ctx context.Context, ex *exchange, req *http.Request) error {
	err := ex.run(context.WithValue(ctx, operationKey{}, &ex.op), req)
	if ex.op.has(changesKeys) {
		c.conn.keyChanges.Add(1) // even after an error: it may have been carried out
	}
	if _, ok := errors.AsType[*ScopeError](err); ok {
		c.conn.scopes.forget()
	}
	return err
}

// prepare checks the parameters of a call, and encodes its query and its body.
func (c *Client) prepare(ctx context.Context, call call, invalidOption error) (query string, payload []byte, err error) {
	switch {
	case ctx == nil:
		return "", nil, invalid("ctx", "must not be nil; use context.Background")
	case invalidOption != nil:
		return "", nil, invalidOption
	case call.body == (omittedBody{}):
		return "", nil, invalid("params", "must not be nil")
	}
	if err := c.checkWorkspace(call.op); err != nil {
		return "", nil, err
	}
	if call.raw != nil {
		query = call.raw.RawQuery
	} else {
		values, err := encodeQuery(call.query)
		if err != nil {
			return "", nil, err
		}
		if err := call.op.checkIDs(call.ids); err != nil {
			return "", nil, err
		}
		query = values.Encode()
	}
	if call.body != nil {
		if payload, err = call.encode(); err != nil {
			return "", nil, err
		}
	}
	return query, payload, nil
}

// build returns the request without its context and authentication.
func (c *Client) build(call call, query string, options *requestOptions, ex *exchange) *http.Request {
	header := options.header
	if header == nil {
		header = make(http.Header, 5)
	}
	if call.body != nil {
		header.Set("Content-Type", "application/json")
	}
	if ex.op.mutates() {
		ex.key = options.idempotencyKey
		if ex.key == "" {
			ex.key = rand.Text()
		}
		header[idempotencyKey] = []string{ex.key}
	}
	ex.conditional = header.Get("If-Match") != ""
	if c.workspace != "" && !call.op.has(acrossWorkspaces) {
		header.Set("X-Workspace-ID", c.workspace)
	}
	header.Set("Accept", "application/json")
	header.Set("User-Agent", c.conn.userAgent)
	u := c.url(call)
	u.RawQuery = query
	return &http.Request{Method: call.op.method, URL: u, Host: u.Host, Header: header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
}

// idempotencyKey is the header's name in lower case, which servers treat alike.
// If net/http finds the canonical name, it repeats a request on a connection that
// was closed, even if the server does not honor the key. With this name, only the
// retry rules decide.
const idempotencyKey = "idempotency-key"

// encode returns the body as JSON. A value of a caller's own type follows the rules
// of encoding/json.
func (call call) encode() ([]byte, error) {
	encode := wire.Encode
	if call.op.has(callerBody) {
		encode = wire.EncodeCaller
	}
	payload, err := encode(call.body)
	switch {
	case errors.Is(err, wire.ErrRedacted):
		return nil, invalid("body", "contains the text "+wire.Redacted+" instead of a secret; give the secret itself")
	case err != nil:
		return nil, invalid("body", "cannot be sent as JSON: "+err.Error())
	}
	return payload, nil
}

// url returns the URL of a call without its query.
func (c *Client) url(call call) *url.URL {
	if call.raw == nil {
		return call.op.url(c.conn.base, call.ids)
	}
	u := *c.conn.base
	u.RawPath = u.EscapedPath() + call.raw.EscapedPath()
	u.Path += call.raw.Path
	return &u
}

// checkWorkspace returns an error if the server would refuse the workspace with
// status 400.
func (c *Client) checkWorkspace(op operation) error {
	switch {
	case c.workspace != "" && !policy.VisibleASCII(c.workspace):
		return invalid("X-Workspace-ID", "must be visible ASCII characters (InWorkspace, WithWorkspace, PROMPTRAILS_WORKSPACE_ID)")
	case c.workspace == "" && c.conn.credentials.person() && !op.has(acrossWorkspaces) && !op.has(anyWorkspace):
		return invalid("X-Workspace-ID", "is required with an access token; use InWorkspace, WithWorkspace or PROMPTRAILS_WORKSPACE_ID")
	default:
		return nil
	}
}

var errTooLarge = errors.New("the response is larger than the limit of WithMaxResponseSize")

// buffers holds the bytes of responses between reading and decoding. Decoded values
// must not alias them.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled keeps the buffer of a large response out of the pool.
const maxPooled = 1 << 20

func release(b *bytes.Buffer) {
	if b.Cap() <= maxPooled {
		b.Reset()
		buffers.Put(b)
	}
}

// maxPresized limits the memory that is allocated for a Content-Length, which may be
// wrong, before a byte is read.
const maxPresized = 1 << 20

// readBody reads a response of at most limit bytes into a pooled buffer.
func readBody(r *http.Response, limit int64) (*bytes.Buffer, error) {
	if r.ContentLength > limit {
		return nil, errTooLarge
	}
	b, _ := buffers.Get().(*bytes.Buffer)
	if r.ContentLength > 0 {
		b.Grow(int(min(r.ContentLength, maxPresized)) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.LimitReader(r.Body, min(limit, math.MaxInt64-1)+1))
	if err == nil && int64(b.Len()) > limit {
		err = errTooLarge
	}
	if err != nil {
		release(b)
		return nil, err
	}
	return b, nil
}
