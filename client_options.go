package promptrails

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/apikey"
	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// Option configures a [Client]. Options override the environment. A nil Option
// has no effect.
type Option func(*config)

type config struct {
	apiKey, accessToken             string
	apiKeySource, accessTokenSource func(context.Context) (Secret, error)
	workspace, baseURL, userAgent   string
	httpClient                      *http.Client
	timeout                         time.Duration
	maxRetries                      int
	maxResponse                     int64
	logger                          *slog.Logger
	observer                        Observer
	idempotent                      bool
	insecureHTTP                    bool
	scopes                          Scopes // from WithScopes
	checkScopes                     bool
	noEnvironment                   bool
	workspaceGiven                  bool
	err                             error // from the first invalid option
}

// nonEmpty rejects an empty value, which would otherwise be replaced from the
// environment.
func (c *config) nonEmpty(option string, ok bool) {
	if !ok && c.err == nil {
		c.err = invalid(option, "must not be empty; omit the option to use the environment")
	}
}

// WithAPIKey authenticates with an API key. A key is bound to one workspace.
func WithAPIKey(key string) Option {
	return func(c *config) { c.apiKey = key; c.nonEmpty("WithAPIKey", key != "") }
}

// WithAccessToken authenticates as a person, with an access token.
func WithAccessToken(token string) Option {
	return func(c *config) { c.accessToken = token; c.nonEmpty("WithAccessToken", token != "") }
}

// WithAPIKeySource calls source for the API key before each attempt, and again
// after a 401. Use it for keys that rotate. Calls of source may be concurrent.
func WithAPIKeySource(source func(context.Context) (Secret, error)) Option {
	return func(c *config) { c.apiKeySource = source; c.nonEmpty("WithAPIKeySource", source != nil) }
}

// WithAccessTokenSource calls source for the access token before each attempt,
// and again after a 401. Use it for tokens that expire. Calls of source may be
// concurrent.
func WithAccessTokenSource(source func(context.Context) (Secret, error)) Option {
	return func(c *config) { c.accessTokenSource = source; c.nonEmpty("WithAccessTokenSource", source != nil) }
}

// WithWorkspace sets the workspace of the client; see [Client.InWorkspace]. If
// id is empty, the client has no workspace, and PROMPTRAILS_WORKSPACE_ID is
// ignored.
func WithWorkspace(id string) Option {
	return func(c *config) { c.workspace, c.workspaceGiven = id, true }
}

// WithBaseURL sets the URL of the API, without /api/v1.
func WithBaseURL(url string) Option { return func(c *config) { c.baseURL = url } }

// WithHTTPClient sends requests with a copy of client. The client's
// CheckRedirect is called only for redirects that this package allows.
func WithHTTPClient(client *http.Client) Option { return func(c *config) { c.httpClient = client } }

// WithTimeout limits the duration of one attempt, including reading the
// response. The default is 30 s, or the timeout of the [WithHTTPClient] client.
// To limit a whole call, use its context.
func WithTimeout(d time.Duration) Option { return func(c *config) { c.timeout = d } }

// WithMaxRetries sets the maximum number of retries of a call. The default is
// 3; 0 disables retries. The package documentation describes which calls are
// retried.
func WithMaxRetries(n int) Option { return func(c *config) { c.maxRetries = n } }

// WithIdempotentServer declares that the server honours Idempotency-Key, so
// that POST and PATCH are retried like other methods. Without this option, they
// are retried after the first response in which the server confirms it.
func WithIdempotentServer() Option { return func(c *config) { c.idempotent = true } }

// WithLogger logs each attempt at debug level, with its operation and duration,
// and its status and request id or its error, and each wait before a retry. It
// logs each call that failed at info level, or at debug level if its context was
// canceled. It never logs secrets, headers, queries or bodies.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) {
		if logger != nil {
			c.logger = logger
		}
	}
}

// WithUserAgent adds userAgent to the User-Agent header, before the name of
// this package.
func WithUserAgent(userAgent string) Option { return func(c *config) { c.userAgent = userAgent } }

// WithMaxResponseSize limits the uncompressed size of a response to n bytes.
// The default is 16 MiB. If a page is larger, All and Tail request smaller
// pages. A page of more than 100,000 items is an error.
func WithMaxResponseSize(n int64) Option { return func(c *config) { c.maxResponse = n } }

// WithInsecureHTTP allows plain http to a host that is not loopback. Anyone on
// the network path can then read the key.
func WithInsecureHTTP() Option { return func(c *config) { c.insecureHTTP = true } }

// WithScopes declares the scopes of the API key. A call that requires another
// scope returns a [*ScopeError] without sending a request. Without WithScopes
// and [WithScopeCheck], the server checks the scope, and the call returns the
// same [*ScopeError]. An access token has no scopes: [NewClient] returns an
// error if both are given.
func WithScopes(scopes ...Scope) Option {
	return func(c *config) { c.scopes = append(Scopes{}, scopes...) }
}

// WithScopeCheck requests the API key's scopes from the server before the first
// call that requires a scope, and then checks calls like [WithScopes]. The scopes are requested again
// before a call is rejected, at most once a minute, and after the server
// rejects a scope that was expected to be granted.
//
// Calls are not checked while the request fails. If the server does not report
// scopes, the check is disabled and a warning is logged. If [WithAPIKeySource]
// returns another key, it is assumed to have the same scopes.
func WithScopeCheck() Option { return func(c *config) { c.checkScopes = true } }

// WithoutEnvironment ignores the PROMPTRAILS_ variables.
func WithoutEnvironment() Option { return func(c *config) { c.noEnvironment = true } }

// fromEnvironment sets the fields that no option has set. If an option sets any
// kind of authentication, the variables of both kinds are ignored.
func (c *config) fromEnvironment(getenv func(string) string) {
	if c.apiKey == "" && c.accessToken == "" && c.apiKeySource == nil && c.accessTokenSource == nil {
		c.apiKey = getenv("PROMPTRAILS_API_KEY")
		c.accessToken = getenv("PROMPTRAILS_ACCESS_TOKEN")
	}
	if !c.workspaceGiven {
		c.workspace = getenv("PROMPTRAILS_WORKSPACE_ID")
	}
	if c.baseURL == "" {
		c.baseURL = getenv("PROMPTRAILS_API_URL")
	}
}

// credentials describes how requests are authenticated.
type credentials struct {
	option  string // the name of the option, for errors
	header  string // X-API-Key or Authorization; empty without authentication
	prefix  string // precedes the secret in the header
	source  func(context.Context) (Secret, error)
	rotates bool // source is the caller's and may return a new secret after a 401
}

func (c *config) credentials() (credentials, error) {
	given := 0
	for _, g := range []bool{c.apiKey != "", c.accessToken != "", c.apiKeySource != nil, c.accessTokenSource != nil} {
		if g {
			given++
		}
	}
	if given > 1 {
		return credentials{}, invalid("authentication", "must be either an API key (WithAPIKey, PROMPTRAILS_API_KEY) or an access token (WithAccessToken, PROMPTRAILS_ACCESS_TOKEN), not both")
	}
	key := credentials{option: "WithAPIKeySource", header: "X-API-Key", source: c.apiKeySource, rotates: true}
	token := credentials{option: "WithAccessTokenSource", header: "Authorization", prefix: "Bearer ", source: c.accessTokenSource, rotates: true}
	switch {
	case c.apiKey != "":
		return key.fixed(c.apiKey)
	case c.accessToken != "":
		return token.fixed(c.accessToken)
	case c.apiKeySource != nil:
		return key, nil
	case c.accessTokenSource != nil:
		return token, nil
	default:
		return credentials{}, nil
	}
}

func (c credentials) fixed(s string) (credentials, error) {
	secret := NewSecret(s)
	c.rotates = false
	c.source = func(context.Context) (Secret, error) { return secret, nil }
	return c, c.check(secret)
}

// check returns an error, which does not contain the secret, if s cannot be a
// key or token.
func (c credentials) check(s Secret) error {
	text := s.Reveal()
	if c.person() {
		if !policy.VisibleASCII(text) || strings.HasPrefix(text, apikey.Prefix) {
			return invalid("access token (WithAccessToken, PROMPTRAILS_ACCESS_TOKEN)", "must be visible ASCII characters, and must not begin with "+apikey.Prefix+", the prefix of API keys")
		}
	} else if !apikey.IsKey(text) {
		return invalid("API key (WithAPIKey, PROMPTRAILS_API_KEY)", "must be visible ASCII characters, and must begin with "+apikey.Prefix)
	}
	return nil
}

func (c credentials) person() bool { return c.header == "Authorization" }

func validHeaderValue(s string) bool {
	return policy.VisibleASCII(strings.ReplaceAll(s, " ", "_"))
}
