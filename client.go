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

// DefaultBaseURL is where the API is, unless [WithBaseURL] or
// PROMPTRAILS_API_URL say otherwise.
const DefaultBaseURL = "https://api.promptrails.ai"

const (
	apiPrefix              = "/api/v1"
	defaultTimeout         = 30 * time.Second
	defaultMaxRetries      = 3
	defaultMaxResponseSize = 16 << 20
)

// Client calls the PromptRails API. It is safe for concurrent use; make one
// and share it, since it holds the connections.
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

// connection is what the clients of one NewClient share.
type connection struct {
	base        *url.URL // without a trailing slash, with apiPrefix
	http        *http.Client
	transport   http.RoundTripper // of http, as the caller gave it
	credentials credentials
	maxRetries  int
	maxResponse int64
	logger      *slog.Logger
	userAgent   string
	budget      *retryBudget
	idempotent  atomic.Bool // the server honours Idempotency-Key
	scopes      *scopeCheck
	ownKey      atomic.Pointer[ownKey]
	keyChanges  atomic.Uint64 // counts calls that may have ended or narrowed a key
}

// NewClient returns a client for the API at [DefaultBaseURL]. What no option
// gives comes from the environment: PROMPTRAILS_API_KEY or
// PROMPTRAILS_ACCESS_TOKEN, PROMPTRAILS_WORKSPACE_ID and PROMPTRAILS_API_URL.
//
// An error is a [*ValidationError]: an invalid base URL, plain http to another
// machine (see [WithInsecureHTTP]), an empty or malformed key, or both kinds of
// authentication at once. A client without any authentication can be made; its
// calls return [ErrUnauthorized] before anything is sent.
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
	httpClient, transport := cfg.newHTTPClient()
	conn := &connection{
		base:        base,
		http:        httpClient,
		transport:   transport,
		credentials: creds,
		maxRetries:  max(0, cfg.maxRetries),
		maxResponse: cfg.maxResponse,
		logger:      cfg.logger,
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

// InWorkspace returns a client that acts in another workspace, over the same
// connections. An API key is bound to its own: for any other id its calls are
// [ErrNotFound].
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

// CloseIdleConnections closes the connections that no call uses at the moment.
// Clients made without [WithHTTPClient] share theirs.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.conn.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Do sends a request that no method of this package covers, with the same
// guarantees: authentication, retries, typed errors. The path is relative to
// the API (as in "/agents?limit=5"), its values escaped by the caller. A nil
// body sends none; GET and HEAD take none. The response's data is decoded into
// out: a pointer, a [*Page] for a list with its meta, or nil to drop it: then an
// empty 2xx response counts as done. Names are matched to json tags exactly, and
// data that is null is an empty slice.
//
// The body is encoded by the rules of encoding/json, omitempty included, except
// that a [Secret] is sent in the clear, and that duplicate names and invalid
// UTF-8 are a [*ValidationError].
func (c *Client) Do(ctx context.Context, method, path string, body, out any, opts ...RequestOption) error {
	switch {
	case method == "" || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "":
		return invalid("method", "must be an HTTP method in capitals, such as GET")
	case body != nil && (method == http.MethodGet || method == http.MethodHead):
		return invalid("body", "must be nil for "+method+", which sends none; use the query of the path")
	}
	if v := reflect.ValueOf(out); out != nil && (v.Kind() != reflect.Pointer || v.IsNil()) {
		return invalid("out", "must be a pointer that is not nil, or nil for no data")
	}
	ref, err := relativeURL(path)
	if err != nil {
		return err
	}
	op := operation{"Do", method, ref.Path, "", anyWorkspace | callerBody}
	return c.send(ctx, call{op: op, raw: ref, body: body, opts: opts}, receiverFor(out))
}

// relativeURL accepts a path that stays within the API and nothing else: no
// other host, no way up.
func relativeURL(path string) (*url.URL, error) {
	ref, err := url.Parse(path)
	switch {
	case err != nil, !policy.VisibleASCII(path):
		return nil, invalid("path", "is not a path; escape its values with url.PathEscape and its query with url.QueryEscape")
	case ref.Scheme != "" || ref.Host != "" || ref.User != nil || ref.Fragment != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//"):
		return nil, invalid("path", "must begin with one / and be relative to the API, without a host or fragment")
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
		return nil, bad("must begin with https://, since plain http shows the key to the network; WithInsecureHTTP allows it")
	}
	base := *u
	base.RawPath = strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), apiPrefix) + apiPrefix
	base.Path, err = url.PathUnescape(base.RawPath)
	if err != nil {
		return nil, bad("has a path that is not escaped as it must be")
	}
	return &base, nil
}

// isLoopback reports whether a host is this machine, which RFC 6761 says of
// localhost and the names below it.
func isLoopback(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
