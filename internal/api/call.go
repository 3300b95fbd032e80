package api

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/service"

	promptrails "github.com/promptrails-community/promptrails-go"
)

const (
	maxBody           = 1 << 20
	maxDepth          = 100 // levels of nesting in a body
	maxID             = 128 // longer than any identifier or slug
	maxUserAgent      = 256
	maxIdempotencyKey = 255
	maxRequestID      = 128
)

// call is the state of one request to a route.
type call struct {
	api     *api
	w       http.ResponseWriter
	r       *http.Request
	route   route
	body    []byte
	request service.Request
	queried bool // the query was decoded
	place   place
}

// run authenticates and reads the request and calls the route's handler. It
// stores validation errors in request.Fault, since authorization errors take
// precedence.
func (c *call) run() (*service.Response, error) {
	caller := &service.Caller{
		IP: c.clientIP(), Origins: c.r.Header.Values("Origin"), UserAgent: storable(c.r.UserAgent()), RequestID: c.r.Header.Get("X-Request-ID"),
	}
	defer c.identified(caller)
	if err := c.authenticate(caller); err != nil {
		return nil, err
	}
	c.request = service.Request{Need: c.route.need, Caller: caller}
	c.readWorkspace()
	if !isID(c.request.Workspace) || !isID(c.id()) || !isID(c.parentID()) {
		return nil, cmp.Or(c.api.Service.Identify(c.r.Context(), caller), error(service.NoRoute()))
	}
	var err error
	c.request.Preconditions, err = service.ParsePreconditions(c.r.Header)
	c.fault(err)
	if c.mutates() {
		c.fault(c.readBody())
		c.fault(c.readIdempotencyKey())
	}
	return c.route.handle(c)
}

// identified reports the caller to the log, and the state of its rate limit to the client.
func (c *call) identified(caller *service.Caller) {
	x := exchangeOf(c.w)
	x.principal, x.workspace = caller.Principal(), caller.Workspace
	if q := caller.Quota; q != nil {
		h := c.w.Header()
		h.Set("X-RateLimit-Limit", strconv.Itoa(q.Limit))
		h.Set("X-RateLimit-Remaining", strconv.Itoa(q.Remaining))
		h.Set("X-RateLimit-Reset", seconds(q.Reset))
	}
}

// readWorkspace sets the workspace of the request.
func (c *call) readWorkspace() {
	if len(c.r.Header.Values("X-Workspace-ID")) > 1 {
		c.fault(service.Invalid(map[string]string{"X-Workspace-ID": "must be sent only once"}))
	}
	switch c.route.need.Workspace {
	case service.FromHeader:
		c.request.Workspace = c.r.Header.Get("X-Workspace-ID")
		switch {
		case c.request.Workspace != "":
		case c.request.Caller.Key != nil:
			c.request.Workspace = c.request.Caller.Key.WorkspaceID
		case c.r.Header.Get("X-API-Key") == "":
			c.fault(service.Invalid(map[string]string{"X-Workspace-ID": "is required with an access token; send the id of a workspace"}))
		}
	case service.FromPath:
		c.request.Workspace = c.r.PathValue("id")
	case service.NoWorkspace:
	}
}

func (c *call) mutates() bool { return c.r.Method != http.MethodGet && c.r.Method != http.MethodHead }

// query decodes the query into params. It also accepts the parameters in
// others. Any other parameter is a fault, so that misspelled parameters are
// detected.
func (c *call) query(params any, others ...string) {
	c.queried = true
	c.fault(decodeQuery(c.r.URL.RawQuery, params, others...))
}

// noQuery is query for a route without parameters.
func (c *call) noQuery() {
	if !c.queried {
		c.query(new(struct{}))
	}
}

// fault stores the first validation error.
func (c *call) fault(err error) {
	if c.request.Fault == nil {
		c.request.Fault = err
	}
}

// isID reports whether s is empty or can be an identifier or slug.
func isID(s string) bool {
	return len(s) <= maxID && utf8.ValidString(s) && !strings.ContainsRune(s, 0)
}

// authenticate sets the user or the API key of the request. If the request only
// reads, its transaction looks them up.
func (c *call) authenticate(caller *service.Caller) error {
	if err := c.readCredentials(caller); err != nil || !c.mutates() {
		return err
	}
	return c.api.Service.Identify(c.r.Context(), caller)
}

func (c *call) readCredentials(caller *service.Caller) error {
	keys, tokens := c.r.Header.Values("X-API-Key"), c.r.Header.Values("Authorization")
	switch {
	case len(keys)+len(tokens) > 1:
		return service.BadRequest("send either X-API-Key or Authorization, and only once")
	case len(keys) == 1:
		return c.api.Service.WithKey(caller, promptrails.NewSecret(keys[0]))
	case len(tokens) == 0:
		return service.Unauthorized("missing credentials: send an access token as Authorization: Bearer, or an API key as X-API-Key")
	}
	scheme, token, _ := strings.Cut(tokens[0], " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return service.Unauthorized("Authorization must be Bearer followed by an access token")
	}
	return c.api.Service.WithToken(c.r.Context(), caller, promptrails.NewSecret(token))
}

func (c *call) clientIP() netip.Addr {
	return policy.Proxies{Prefixes: c.api.TrustedProxies}.ClientIP(c.r.RemoteAddr, c.r.Header)
}

// storable truncates the value of a header for the changelog and replaces
// invalid UTF-8.
func storable(s string) string {
	if len(s) > maxUserAgent {
		s = s[:maxUserAgent]
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

func (c *call) readBody() (err error) {
	if encoding := c.r.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return service.UnsupportedMediaType("send the body without Content-Encoding")
	}
	client := exchangeOf(c.w).ResponseWriter // net/http closes its connection if the body is too large
	c.body, err = io.ReadAll(http.MaxBytesReader(client, c.r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return service.TooLarge(maxBody)
	}
	if err != nil {
		return service.BadRequest("the body could not be read completely")
	}
	if tooDeep(c.body) {
		return service.Invalid(map[string]string{"body": fmt.Sprintf("must have at most %d levels of nested arrays and objects", maxDepth)})
	}
	contentType := c.r.Header.Get("Content-Type")
	if len(c.body) == 0 || contentType == "" {
		return nil // JSON by default
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/json" {
		return service.UnsupportedMediaType("send the body as Content-Type: application/json")
	}
	return nil
}

// tooDeep reports whether a JSON text has more than maxDepth levels of nesting.
func tooDeep(text []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case c == '}', c == ']':
			depth--
		}
	}
	return false
}

func (c *call) readIdempotencyKey() error {
	var values []string
	for name, given := range c.r.Header { // the names may not be canonical in a request made by a program
		if strings.EqualFold(name, "Idempotency-Key") {
			values = append(values, given...)
		}
	}
	if len(values) == 0 {
		return nil
	}
	if len(values) > 1 || !policy.VisibleASCII(values[0]) || len(values[0]) > maxIdempotencyKey {
		return service.Invalid(map[string]string{"Idempotency-Key": "must be a single value of 1 to 255 visible ASCII characters"})
	}
	c.request.Once = &service.Once{Key: values[0], Method: c.r.Method, Target: c.r.URL.RequestURI(), Body: c.body}
	return nil
}
