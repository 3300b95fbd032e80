package promptrails

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
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
	credentials credentials
	maxRetries  int
	maxResponse int64
	logger      *slog.Logger
	userAgent   string
	budget      *retryBudget
	idempotent  atomic.Bool // the server honours Idempotency-Key
	scopes      *scopeCheck
	keyChanges  atomic.Uint64 // counts calls that may have ended or narrowed a key
}

// NewClient returns a client for the API at [DefaultBaseURL]. What no option
// gives comes from the environment: PROMPTRAILS_API_KEY or
// PROMPTRAILS_ACCESS_TOKEN, PROMPTRAILS_WORKSPACE_ID and PROMPTRAILS_API_URL.
//
// An error is a [*ValidationError]: a base URL that is none, plain http to
// another machine (see [WithInsecureHTTP]), a key that cannot be one, or both
// kinds of authentication at once. A client without any authentication can be
// made; its calls are [ErrUnauthorized] before anything is sent.
func NewClient(opts ...Option) (*Client, error) {
	cfg := &config{
		maxRetries:  defaultMaxRetries,
		maxResponse: defaultMaxResponseSize,
		logger:      slog.New(slog.DiscardHandler),
	}
	for _, opt := range opts {
		opt(cfg)
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
	conn := &connection{
		base:        base,
		http:        cfg.newHTTPClient(),
		credentials: creds,
		maxRetries:  max(0, cfg.maxRetries),
		maxResponse: cfg.maxResponse,
		logger:      cfg.logger,
		userAgent:   strings.TrimSpace(cfg.userAgent + " promptrails-go/" + Version + " (" + runtime.Version() + ")"),
		budget:      newRetryBudget(),
		scopes:      scopes,
	}
	if cfg.maxResponse <= 0 {
		return nil, invalid("WithMaxResponseSize", "must be more than 0 bytes")
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

// Do sends a request that no method of this package covers, with the same
// guarantees: authentication, retries, typed errors. The path is relative to
// the API (as in "/agents?limit=5"), its values escaped by the caller. A nil
// body sends none. The answer's data is decoded into out: a pointer, a [*Page]
// for a list with its meta, or nil to drop it. Names are matched to json tags
// exactly.
func (c *Client) Do(ctx context.Context, method, path string, body, out any, opts ...RequestOption) error {
	ref, err := relativeURL(path)
	if err != nil {
		return err
	}
	op := operation{"Do", method, ref.Path, "", anyWorkspace}
	return c.send(ctx, call{op: op, raw: ref, body: body, opts: opts}, receiverFor(out))
}

// relativeURL accepts a path that stays within the API and nothing else: no
// other host, no way up.
func relativeURL(path string) (*url.URL, error) {
	ref, err := url.Parse(path)
	switch {
	case err != nil, !visibleASCII(path):
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
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "" || !visibleASCII(s):
		return nil, invalid("base URL", "must be an absolute URL such as "+DefaultBaseURL)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, invalid("base URL", "must begin with https://")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, invalid("base URL", "must have no user information, query or fragment")
	case u.Scheme == "http" && !insecure && !isLoopback(u.Hostname()):
		return nil, invalid("base URL", "must begin with https://, since plain http shows the key to the network; WithInsecureHTTP allows it")
	}
	base := *u
	base.Path = strings.TrimSuffix(strings.TrimRight(u.Path, "/"), apiPrefix) + apiPrefix
	base.RawPath = ""
	return &base, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// newHTTPClient copies the caller's client before it sets anything on it.
func (cfg *config) newHTTPClient() *http.Client {
	var c http.Client
	if cfg.httpClient != nil {
		c = *cfg.httpClient
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	// retryablehttp closes all idle connections when it gives up on one call;
	// without this method on the transport it cannot.
	c.Transport = struct{ http.RoundTripper }{c.Transport}
	c.CheckRedirect = withinOrigin(c.CheckRedirect)
	switch {
	case cfg.timeout > 0:
		c.Timeout = cfg.timeout
	case c.Timeout == 0:
		c.Timeout = defaultTimeout
	}
	return &c
}

func newTransport() *http.Transport {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		t = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: defaultTimeout, KeepAlive: defaultTimeout}).DialContext,
			ForceAttemptHTTP2:     true,
			IdleConnTimeout:       90 * time.Second,
			TLSHandshakeTimeout:   10 * time.Second,
			ExpectContinueTimeout: time.Second,
		}
	}
	t = t.Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 256, 128
	return t
}
