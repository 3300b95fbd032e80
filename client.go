package promptrails

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// DefaultBaseURL is the URL of the API. [WithBaseURL] and PROMPTRAILS_API_URL
// override it.
const DefaultBaseURL = "https://api.promptrails.ai"

const (
	apiPrefix              = "/api/v1"
	defaultTimeout         = 30 * time.Second
	defaultMaxRetries      = 3
	defaultMaxResponseSize = 16 << 20
)

// Client is a client for the PromptRails API. It is safe for concurrent use.
// Clients should be reused, because they hold connections.
type Client struct {
	Workspaces    *WorkspacesService
	Members       *MembersService
	Invitations   *InvitationsService
	Credentials   *CredentialsService
	APIKeys       *APIKeysService
	Notifications *NotificationsService
	Masking       *MaskingService
	Changelog     *ChangelogService
	Billing       *BillingService
	Resources     *ResourcesService

	workspace string
	conn      *connection
}

// connection is the state shared by a Client and its InWorkspace clients.
type connection struct {
	base        *url.URL // includes apiPrefix; no trailing slash
	http        *http.Client
	transport   http.RoundTripper // the caller's, which http wraps
	timeout     time.Duration     // of one attempt
	credentials credentials
	maxRetries  int
	maxResponse int64
	logger      *slog.Logger
	observer    Observer // or nil
	userAgent   string
	budget      *retryBudget
	idempotent  atomic.Bool // the server honours Idempotency-Key
	scopes      *scopeCheck
	ownKey      atomic.Pointer[ownKey]
	keyChanges  atomic.Uint64 // number of calls that may have revoked or restricted a key
}

// NewClient returns a client for the API at [DefaultBaseURL]. Options override
// the environment variables PROMPTRAILS_API_KEY, PROMPTRAILS_ACCESS_TOKEN,
// PROMPTRAILS_WORKSPACE_ID and PROMPTRAILS_API_URL.
//
// NewClient returns a [*ValidationError] for an invalid base URL, plain http to
// a host that is not loopback (see [WithInsecureHTTP]), an empty or malformed
// key, or more than one kind of authentication. Without authentication,
// NewClient succeeds, and calls return [ErrUnauthorized] without sending a
// request.
func NewClient(opts ...Option) (*Client, error) {
	cfg := &config{
		maxRetries:  defaultMaxRetries,
		maxResponse: defaultMaxResponseSize,
		logger:      slog.New(slog.DiscardHandler),
	}
	for _, opt := range opts {
		if opt != nil {
			opt(cfg)
		}
	}
	if cfg.err != nil {
		return nil, cfg.err
	}
	if !cfg.noEnvironment {
		cfg.fromEnvironment(os.Getenv)
	}
	creds, err := cfg.credentials()
	if err != nil {
		return nil, err
	}
	scopes, err := cfg.scopeCheck(creds)
	if err != nil {
		return nil, err
	}
	base, err := parseBaseURL(cfg.baseURL, cfg.insecureHTTP)
	if err != nil {
		return nil, err
	}
	httpClient, transport, timeout := cfg.newHTTPClient()
	conn := &connection{
		base:        base,
		http:        httpClient,
		transport:   transport,
		timeout:     timeout,
		credentials: creds,
		maxRetries:  max(0, cfg.maxRetries),
		maxResponse: cfg.maxResponse,
		logger:      cfg.logger,
		observer:    cfg.observer,
		userAgent:   strings.TrimSpace(cfg.userAgent + " promptrails-go/" + Version + " (" + runtime.Version() + ")"),
		budget:      newRetryBudget(),
		scopes:      scopes,
	}
	if cfg.maxResponse <= 0 {
		return nil, invalid("WithMaxResponseSize", "must be at least 1 byte")
	}
	if !validHeaderValue(conn.userAgent) {
		return nil, invalid("WithUserAgent", "must be visible ASCII characters and spaces")
	}
	conn.idempotent.Store(cfg.idempotent)
	return newClient(conn, cfg.workspace), nil
}

// InWorkspace returns a client for the workspace with the given id. It shares
// c's connections. An API key is bound to one workspace; in any other, calls
// return [ErrNotFound].
func (c *Client) InWorkspace(id string) *Client { return newClient(c.conn, id) }

func newClient(conn *connection, workspace string) *Client {
	c := &Client{conn: conn, workspace: workspace}
	c.Workspaces = &WorkspacesService{c}
	c.Members = &MembersService{c}
	c.Invitations = &InvitationsService{c}
	c.Credentials = &CredentialsService{c}
	c.APIKeys = &APIKeysService{c}
	c.Notifications = &NotificationsService{c}
	c.Masking = &MaskingService{c}
	c.Changelog = &ChangelogService{c}
	c.Billing = &BillingService{c}
	c.Resources = &ResourcesService{c}
	return c
}

// CloseIdleConnections closes connections that are not in use. Clients created
// without [WithHTTPClient] share their connections.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.conn.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Do sends a request to an endpoint that has no method in this package. It
// authenticates, retries and returns typed errors as other methods do. The path
// is relative to the API, as in "/agents?limit=5". The caller escapes its
// values. If body is nil, the request has no body; for GET and HEAD it must be
// nil.
//
// Do decodes the data of the response into out, which must be a pointer. Use a
// [*Page] for a list with its meta. If out is nil, the data is discarded, and
// an empty 2xx response is a success. Names match json tags exactly, and null
// decodes to an empty slice.
//
// The body is encoded by the rules of encoding/json, including omitempty, with
// three exceptions: a [Secret] is sent in plain text, the characters <, > and &
// are not escaped, and duplicate names or invalid UTF-8 return a
// [*ValidationError].
func (c *Client) Do(ctx context.Context, method, path string, body, out any, opts ...RequestOption) error {
	switch {
	case method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return invalid("method", "must be an HTTP method in capitals, such as GET")
	case body != nil && (method == http.MethodGet || method == http.MethodHead):
		return invalid("body", "must be nil for "+method+"; use the query of the path")
	}
	if v := reflect.ValueOf(out); out != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		return invalid("out", "must be a non-nil pointer, or nil to discard the data")
	}
	ref, err := relativeURL(path)
	if err != nil {
		return err
	}
	op := operation{"Do", method, ref.Path, "", anyWorkspace | callerBody}
	return c.send(ctx, call{op: op, raw: ref, body: body, opts: opts}, receiverFor(out))
}

// relativeURL parses a path relative to the API. It rejects a host, a fragment
// and dot segments.
func relativeURL(path string) (*url.URL, error) {
	ref, err := url.Parse(path)
	switch {
	case err != nil, !policy.VisibleASCII(path):
		return nil, invalid("path", "is not a valid path; escape its values with url.PathEscape and its query with url.QueryEscape")
	case ref.Scheme != "" || ref.Host != "" || ref.User != nil || ref.Fragment != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//"):
		return nil, invalid("path", "must begin with a single / and be relative to the API, without a host or fragment")
	}
	for segment := range strings.SplitSeq(ref.Path, "/") {
		if segment == "." || segment == ".." {
			return nil, invalid("path", "must not contain the segments . or ..")
		}
	}
	if strings.HasPrefix(ref.Path, apiPrefix+"/") {
		ref.RawPath = strings.TrimPrefix(ref.EscapedPath(), apiPrefix)
		ref.Path = strings.TrimPrefix(ref.Path, apiPrefix)
	}
	return ref, nil
}

func parseBaseURL(s string, insecure bool) (*url.URL, error) {
	if s == "" {
		s = DefaultBaseURL
	}
	bad := func(problem string) error { return invalid("base URL (WithBaseURL, PROMPTRAILS_API_URL)", problem) }
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || !policy.VisibleASCII(s):
		return nil, bad("must be an absolute URL such as " + DefaultBaseURL)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, bad("must begin with https://")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, bad("must have no user information, query or fragment")
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		return nil, bad("must begin with https://, because plain http exposes the key to the network; WithInsecureHTTP allows it")
	}
	base := *u
	base.RawPath = strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), apiPrefix) + apiPrefix
	base.Path, err = url.PathUnescape(base.RawPath)
	if err != nil {
		return nil, bad("must have a validly escaped path")
	}
	if raw := base.RawPath; raw == (&url.URL{Path: base.Path}).EscapedPath() {
		base.RawPath = "" // the usual case
	}
	return &base, nil
}

// isLoopback reports whether host is a loopback address, localhost or a
// subdomain of localhost (RFC 6761).
func isLoopback(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
