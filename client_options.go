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

// Option configures a [Client]. An option takes precedence over the
// environment. A nil Option has no effect.
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
	idempotent                      bool
	insecureHTTP                    bool
	scopes                          Scopes // of the key, where they are given
	checkScopes                     bool
	noEnvironment                   bool
	workspaceGiven                  bool
	err                             error // of the first option that is invalid
}

// nonEmpty refuses an empty value, which would silently be taken from the
// environment instead.
func (c *config) nonEmpty(option string, ok bool) {
	if !ok && c.err == nil {
		c.err = invalid(option, "must not be empty; leave the option out to use the environment")
	}
}

// WithAPIKey authenticates with an API key, which is bound to one workspace.
func WithAPIKey(key string) Option {
	return func(c *config) { c.apiKey = key; c.nonEmpty("WithAPIKey", key != "") }
}

// WithAccessToken authenticates as a person.
func WithAccessToken(token string) Option {
	return func(c *config) { c.accessToken = token; c.nonEmpty("WithAccessToken", token != "") }
}

// WithAPIKeySource asks source for the API key at each attempt, and once more
// after a 401: for keys that rotate. It may be called concurrently.
func WithAPIKeySource(source func(context.Context) (Secret, error)) Option {
	return func(c *config) { c.apiKeySource = source; c.nonEmpty("WithAPIKeySource", source != nil) }
}

// WithAccessTokenSource asks source for the access token at each attempt, and
// once more after a 401: for tokens that expire. It may be called concurrently.
func WithAccessTokenSource(source func(context.Context) (Secret, error)) Option {
	return func(c *config) { c.accessTokenSource = source; c.nonEmpty("WithAccessTokenSource", source != nil) }
}

// WithWorkspace names the workspace to act in; see [Client.InWorkspace]. An
// empty id names none, and ignores PROMPTRAILS_WORKSPACE_ID.
func WithWorkspace(id string) Option {
	return func(c *config) { c.workspace, c.workspaceGiven = id, true }
}

// WithBaseURL sets where the API is, without /api/v1.
func WithBaseURL(url string) Option { return func(c *config) { c.baseURL = url } }

// WithHTTPClient sends requests with a copy of client. Its redirect policy may
// narrow this package's own, not widen it.
func WithHTTPClient(client *http.Client) Option { return func(c *config) { c.httpClient = client } }

// WithTimeout bounds one attempt, the reading of its response included: 30 s by
// default, or what the client of [WithHTTPClient] has. The whole call is
// bounded by its context.
func WithTimeout(d time.Duration) Option { return func(c *config) { c.timeout = d } }

// WithMaxRetries sets how often a call is repeated after its first attempt: 3
// by default, 0 for never. The package documentation says what is repeated.
func WithMaxRetries(n int) Option { return func(c *config) { c.maxRetries = n } }

// WithIdempotentServer says that the server honours Idempotency-Key, so that
// POST and PATCH are repeated like the rest from the first call on. Without it
// they are from the first answer on that says so.
func WithIdempotentServer() Option { return func(c *config) { c.idempotent = true } }

// WithLogger logs each attempt at the level debug, with operation, duration, and
// status and request id or the error; and each wait before another attempt. It
// logs no secret, header, query or body.
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) {
		if logger != nil {
			c.logger = logger
		}
	}
}

// WithUserAgent puts the name of your program before this package's own in the
// User-Agent header.
func WithUserAgent(userAgent string) Option { return func(c *config) { c.userAgent = userAgent } }

// WithMaxResponseSize limits a response, uncompressed, to n bytes: 16 MiB by
// default. All and Tail ask for smaller pages when a page is larger.
func WithMaxResponseSize(n int64) Option { return func(c *config) { c.maxResponse = n } }

// WithInsecureHTTP allows plain http to a host that is not this machine, where
// anyone on the way can read the key.
func WithInsecureHTTP() Option { return func(c *config) { c.insecureHTTP = true } }

// WithScopes says what the API key may do: an operation that takes another
// scope is a [*ScopeError] before anything is sent. Without it, and without
// [WithScopeCheck], the server's refusal is the same [*ScopeError]. With an
// access token, which has no scopes, it is an error of [NewClient].
func WithScopes(scopes ...Scope) Option {
	return func(c *config) { c.scopes = append(Scopes{}, scopes...) }
}

// WithScopeCheck asks the server, before the first call, what the API key may
// do, and then refuses what it may not like [WithScopes]. Before it refuses by
// an older answer it asks once more, at most once a minute, and it asks anew
// after the server has refused a scope that it held for granted. A server that
// cannot tell switches the check off, which is logged; while the question
// fails, calls go unchecked. Another key that [WithAPIKeySource] gives is taken
// to have the scopes of the one before.
func WithScopeCheck() Option { return func(c *config) { c.checkScopes = true } }

// WithoutEnvironment ignores the PROMPTRAILS_ variables.
func WithoutEnvironment() Option { return func(c *config) { c.noEnvironment = true } }

// fromEnvironment fills in what no option gave. One kind of authentication
// given as an option silences the other kind's variable.
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

// credentials puts the authentication of a request on its headers.
type credentials struct {
	option  string // that they came from
	header  string // X-API-Key or Authorization; empty: none
	prefix  string // before the secret in the header
	source  func(context.Context) (Secret, error)
	rotates bool // source is the caller's: it may give another one after a 401
}

func (c *config) credentials() (credentials, error) {
	given := 0
	for _, g := range []bool{c.apiKey != "", c.accessToken != "", c.apiKeySource != nil, c.accessTokenSource != nil} {
		if g {
			given++
		}
	}
	if given > 1 {
		return credentials{}, invalid("authentication", "needs either an API key (WithAPIKey, PROMPTRAILS_API_KEY) or an access token (WithAccessToken, PROMPTRAILS_ACCESS_TOKEN), not both")
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

// check refuses what cannot be a key or token, without showing it.
func (c credentials) check(s Secret) error {
	text := s.Reveal()
	if c.person() {
		if !policy.VisibleASCII(text) || strings.HasPrefix(text, apikey.Prefix) {
			return invalid("access token (WithAccessToken, PROMPTRAILS_ACCESS_TOKEN)", "must be visible ASCII characters, and not begin with "+apikey.Prefix+" as API keys do")
		}
	} else if !apikey.IsKey(text) {
		return invalid("API key (WithAPIKey, PROMPTRAILS_API_KEY)", "must be visible ASCII characters, and begin with "+apikey.Prefix)
	}
	return nil
}

func (c credentials) person() bool { return c.header == "Authorization" }

func validHeaderValue(s string) bool {
	return policy.VisibleASCII(strings.ReplaceAll(s, " ", "_"))
}
