package promptrails

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
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
	return response.Data, nil
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
	ex := &exchange{conn: c.conn, credentials: c.conn.credentials, op: call.op, ids: call.ids, body: call.body, out: out, response: options.response}
	if call.as != nil {
		ex.credentials = *call.as
	}
	req, err := c.build(ctx, call, &options, ex)
	if err != nil {
		return err
	}
	return c.observe(ctx, ex, req)
}

// exchange checks the scope of a call, and sends it.
func (c *Client) exchange(ctx context.Context, ex *exchange, req *http.Request) error {
	if err := c.checkScope(ctx, ex.op); err != nil {
		return err
	}
	err := ex.run(context.WithValue(ctx, operationKey{}, &ex.op), req)
	if ex.op.has(changesKeys) {
		c.conn.keyChanges.Add(1) // even after an error: it may have been carried out
	}
	if _, ok := errors.AsType[*ScopeError](err); ok {
		c.conn.scopes.forget()
	}
	return err
}

// build returns the request without its authentication.
func (c *Client) build(ctx context.Context, call call, options *requestOptions, ex *exchange) (*http.Request, error) {
	switch {
	case ctx == nil:
		return nil, invalid("ctx", "must not be nil; use context.Background")
	case options.err != nil:
		return nil, options.err
	case call.body == (omittedBody{}):
		return nil, invalid("params", "must not be nil")
	}
	if err := c.checkWorkspace(call.op); err != nil {
		return nil, err
	}
	u, err := c.url(call)
	if err != nil {
		return nil, err
	}
	if call.body != nil {
		if ex.payload, err = call.encode(); err != nil {
			return nil, err
		}
		options.header.Set("Content-Type", "application/json")
	}
	if ex.op.mutates() {
		ex.key = options.idempotencyKey
		if ex.key == "" {
			ex.key = rand.Text()
		}
		options.header[idempotencyKey] = []string{ex.key}
	}
	ex.conditional = options.header.Get("If-Match") != ""
	if c.workspace != "" && !call.op.has(acrossWorkspaces) {
		options.header.Set("X-Workspace-ID", c.workspace)
	}
	options.header.Set("Accept", "application/json")
	options.header.Set("User-Agent", c.conn.userAgent)
	req, err := http.NewRequestWithContext(ctx, call.op.method, "", http.NoBody)
	if err != nil {
		return nil, invalid("method", "is not an HTTP method")
	}
	req.URL, req.Host, req.Header = u, u.Host, options.header
	return req, nil
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

func (c *Client) url(call call) (*url.URL, error) {
	if call.raw != nil {
		u := *c.conn.base
		u.RawPath = u.EscapedPath() + call.raw.EscapedPath()
		u.Path += call.raw.Path
		u.RawQuery = call.raw.RawQuery
		return &u, nil
	}
	values, err := encodeQuery(call.query)
	if err != nil {
		return nil, err
	}
	return call.op.url(c.conn.base, call.ids, values)
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
