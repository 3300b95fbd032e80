package promptrails

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/apikey"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Authenticator guards a service of yours with PromptRails API keys. What a key
// is, it asks a [KeyVerifier] and remembers for a while; what the key may do
// here and now (address, origin, expiry, scope) it judges at each use, by the
// rules of PromptRails itself. It is safe for concurrent use; make one and
// share it.
//
// A key that is revoked elsewhere is let in for the TTL at most, and, while the
// API is down, for MaxStale more. One that is changed through the
// authenticator's own client, by a method of [APIKeysService], by
// [MembersService.Remove] or by [WorkspacesService.Delete], is asked about anew
// from that moment on.
type Authenticator struct {
	verifier     KeyVerifier
	workspace    string // of the keys that are accepted; empty: any that the verifier knows
	keysCarrySum bool
	proxies      policy.Proxies
	keys         *keyCache
}

// AuthenticatorOption configures an [Authenticator].
type AuthenticatorOption func(*authenticatorConfig)

type authenticatorConfig struct {
	verifier         KeyVerifier
	anyWorkspace     bool
	keysCarrySum     bool
	ttl, negativeTTL time.Duration
	maxStale         time.Duration
	size             int
	rate             float64
	burst            int
	proxies          policy.Proxies
	staleWait        time.Duration
	err              error // of the first option that is invalid
}

// WithAuthVerifier asks v what a key is, instead of the client. A panic of v is
// [ErrUnavailable] for the request that it happened in.
func WithAuthVerifier(v KeyVerifier) AuthenticatorOption {
	return func(c *authenticatorConfig) {
		if c.verifier = v; v == nil {
			c.err = invalid("WithAuthVerifier", "must not be nil")
		}
	}
}

// WithAuthAnyWorkspace accepts the keys of every workspace, and not only those
// of the client's. Look at [Principal.WorkspaceID] before you serve anything.
func WithAuthAnyWorkspace() AuthenticatorOption {
	return func(c *authenticatorConfig) { c.anyWorkspace = true }
}

// WithAuthKeyChecksums refuses a key whose checksum is wrong without asking
// anyone: for the keys of the embedded service, which all carry one. Whether
// the vendor's own do is not known.
func WithAuthKeyChecksums() AuthenticatorOption {
	return func(c *authenticatorConfig) { c.keysCarrySum = true }
}

// WithAuthCacheTTL sets how long it is remembered what a key is: 30 s by
// default, and never beyond its expiry or the end of its overlap. 0 asks at
// each use.
func WithAuthCacheTTL(d time.Duration) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.ttl = d }
}

// WithAuthNegativeTTL sets how long it is remembered that a key was refused: 5 s
// by default.
func WithAuthNegativeTTL(d time.Duration) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.negativeTTL = d }
}

// WithAuthCacheSize sets how many keys are remembered, and how many refused
// ones beside them: 10 000 each by default, about 1 KB a key.
func WithAuthCacheSize(n int) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.size = n }
}

// WithAuthMaxStale lets a key in, for d past the TTL, that the API cannot be
// asked about since it is down: 0 by default, and never beyond the key's expiry
// or the end of its overlap. A revoked key lives for TTL + MaxStale at most.
func WithAuthMaxStale(d time.Duration) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.maxStale = d }
}

// WithAuthStaleWait sets how long a request with a key that WithAuthMaxStale lets
// in waits for the API to answer first: 1 s by default. While the API is known
// not to answer, nobody waits.
func WithAuthStaleWait(d time.Duration) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.staleWait = d }
}

// WithAuthUnknownKeyRate limits how often the verifier is asked about keys that
// are not remembered, so that a flood of invented ones does not reach it: 100 a
// second by default, and 1000 at once. What is beyond it is [ErrUnavailable].
// The burst has to cover the keys that are used first after a start.
func WithAuthUnknownKeyRate(perSecond float64, burst int) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.rate, c.burst = perSecond, burst }
}

// WithAuthTrustedProxies names the proxies whose header the middleware believes:
// X-Forwarded-For, or that of [WithAuthForwardedHeader]. The caller's address is
// the last hop in it that is none of them. Without trusted proxies no header is
// read, and the caller's address is that of the connection.
func WithAuthTrustedProxies(proxies ...netip.Prefix) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.proxies.Prefixes = slices.Clone(proxies) }
}

// WithAuthTrustedUnixSocket trusts the peer of every connection that has no
// address, as those over a Unix socket do, like a proxy of
// [WithAuthTrustedProxies].
func WithAuthTrustedUnixSocket() AuthenticatorOption {
	return func(c *authenticatorConfig) { c.proxies.UnixSocket = true }
}

// WithAuthForwardedHeader sets the one header that is read from a trusted proxy:
// X-Forwarded-For, which is the default, Forwarded (RFC 7239), or X-Real-IP,
// which holds one address. The proxy must set or extend it in every request.
func WithAuthForwardedHeader(name string) AuthenticatorOption {
	return func(c *authenticatorConfig) {
		c.proxies.Header = http.CanonicalHeaderKey(name)
		if !slices.Contains(policy.ForwardedHeaders, c.proxies.Header) {
			c.err = invalid("WithAuthForwardedHeader", "must be one of "+strings.Join(policy.ForwardedHeaders, ", "))
		}
	}
}

// NewAuthenticator returns an authenticator that asks through a client.
//
// A client with credentials of its own asks POST /api-keys/verify under them;
// they need the scope api_keys:verify, or the role admin, and see the keys of
// their own workspace alone. A client without any asks GET /api-keys/current
// with the presented key itself. That cannot serve keys with a list of
// addresses or origins, since the server would judge this program by it, and
// accepts keys of the client's workspace (see [WithWorkspace]), unless
// [WithAuthAnyWorkspace] is given. With [WithAuthVerifier] the client may be
// nil. What cannot work is a [*ValidationError].
func NewAuthenticator(c *Client, opts ...AuthenticatorOption) (*Authenticator, error) {
	cfg := authenticatorConfig{ttl: 30 * time.Second, negativeTTL: 5 * time.Second, size: 10_000, rate: 100, burst: 1000, staleWait: time.Second}
	for _, opt := range opts {
		if opt != nil {
			opt(&cfg)
		}
	}
	if err := cfg.check(c); err != nil {
		return nil, err
	}
	a := &Authenticator{verifier: cfg.verifier, keysCarrySum: cfg.keysCarrySum, proxies: cfg.proxies, keys: newKeyCache(&cfg)}
	a.keys.verify, a.keys.logger, a.keys.epoch = a.verify, slog.New(slog.DiscardHandler), new(atomic.Uint64)
	if c != nil {
		a.keys.logger, a.keys.epoch = c.conn.logger, &c.conn.keyChanges
		if !cfg.anyWorkspace {
			a.workspace = c.workspace
		}
	}
	switch {
	case a.verifier != nil:
	case c.conn.credentials.header == "":
		a.verifier = askingAsTheKey{c}
	default:
		a.verifier = askingUnderCredentials{c, new(atomic.Bool)}
	}
	return a, nil
}

func (cfg *authenticatorConfig) check(c *Client) error {
	switch {
	case cfg.err != nil:
		return cfg.err
	case c == nil && cfg.verifier == nil:
		return invalid("client", "must not be nil, unless WithAuthVerifier says whom to ask")
	case cfg.ttl < 0 || cfg.negativeTTL < 0 || cfg.maxStale < 0 || cfg.staleWait < 0:
		return invalid("WithAuthCacheTTL, WithAuthNegativeTTL, WithAuthMaxStale, WithAuthStaleWait", "must not be negative")
	case cfg.size < 1:
		return invalid("WithAuthCacheSize", "must be at least 1")
	case !(cfg.rate > 0) || cfg.burst < 1: // not a number included
		return invalid("WithAuthUnknownKeyRate", "must be more than 0 a second, and a burst of at least 1")
	case cfg.verifier != nil:
		return nil
	case c.conn.credentials.header != "":
		return c.checkWorkspace(opAPIKeysVerify)
	case c.workspace == "" && !cfg.anyWorkspace:
		return invalid("client", "has neither credentials nor a workspace; use WithWorkspace, so that keys of others are refused, or WithAuthAnyWorkspace")
	default:
		return nil
	}
}

// AuthRequest is what a key is used for, and whence.
type AuthRequest struct {
	IP     netip.Addr // the caller's; one that is not valid is in no list
	Origin string     // the Origin header; empty: there was none
	Scopes []Scope    // each must be granted
}

// Principal is the API key that a request was made with.
type Principal struct {
	KeyID       string
	WorkspaceID string
	Name        string // of the key
	CreatedBy   string // the user id of who made the key
	Scopes      Scopes
	ExpiresAt   time.Time // zero: no end
}

// Authenticate says whose key it is, or why the key may not be used for r:
// [ErrUnauthorized] for one that is not known, revoked or expired,
// [ErrForbidden] for a wrong address or origin, a [*ScopeError] for a missing
// scope, and [ErrUnavailable] where nobody can tell: then nobody is let in. The
// [*Error] beneath has the status and code of the API's own answer.
func (a *Authenticator) Authenticate(ctx context.Context, key string, r AuthRequest) (*Principal, error) {
	if !apikey.IsKey(key) || a.keysCarrySum && !apikey.HasChecksum(key) {
		return nil, refusedKey(policy.KeyUnknown, nil)
	}
	k, now, err := a.keys.get(ctx, key)
	if err != nil {
		return nil, err
	}
	return k.admit(now, &r)
}

// verify asks what a key is. One of another workspace is as good as unknown.
func (a *Authenticator) verify(ctx context.Context, key Secret) (*APIKey, *Error) {
	var k *APIKey
	err := recovered(func() (err error) {
		k, err = a.verifier.VerifyKey(ctx, key)
		return err
	})
	switch {
	case err != nil:
		return nil, keyError(err, key)
	case k == nil || k.ID == "" || k.WorkspaceID == "":
		return nil, cannotVerify("the verifier's answer is no key of a workspace", 0)
	case a.workspace != "" && k.WorkspaceID != a.workspace:
		return nil, refusedKey(policy.KeyUnknown, nil)
	case k.Status == APIKeyRevoked:
		return nil, refusedKey(policy.KeyRevoked, nil)
	case k.Status == APIKeyExpired:
		return nil, refusedKey(policy.KeyExpired, nil)
	case k.Status != "" && k.Status != APIKeyActive && k.Status != APIKeyRotating:
		return nil, refusedKey(policy.KeyUnknown, nil) // a state that this version does not know
	default:
		held := *k // the verifier may change its own
		held.Scopes, held.AllowedIPs, held.AllowedOrigins = slices.Clone(k.Scopes), slices.Clone(k.AllowedIPs), slices.Clone(k.AllowedOrigins)
		return &held, nil
	}
}

// admit judges one use of a key.
func (k *heldKey) admit(now time.Time, r *AuthRequest) (*Principal, error) {
	origins := []string{r.Origin} // an empty one is in no list either
	refusal, lacking := k.rules.Judge(policy.Use{At: now, IP: &r.IP, Origins: &origins}, r.Scopes...)
	switch refusal {
	case nil:
		p := k.principal
		p.Scopes = slices.Clone(p.Scopes) // the caller's to change
		return &p, nil
	case policy.IPNotAllowed:
		return nil, refusedKey(refusal, map[string]string{"ip": r.IP.Unmap().String()})
	case policy.OriginNotAllowed:
		return nil, refusedKey(refusal, map[string]string{"origin": quote([]byte(r.Origin))})
	case policy.ScopeMissing:
		granted := slices.Clone(k.principal.Scopes)
		return nil, &ScopeError{Required: lacking, Granted: granted, err: refusedKey(refusal, scopeDetails{lacking, granted})}
	default:
		return nil, refusedKey(refusal, nil)
	}
}

type scopeDetails struct {
	Required Scope  `json:"required"`
	Granted  Scopes `json:"granted"`
}

// refusedKey is what the policy says about a key, as an error.
func refusedKey(r *policy.Refusal, details any) *Error {
	e := &Error{Status: r.Status, Code: ErrorCode(r.Code), Message: r.Message}
	if details != nil {
		e.Details, _ = wire.Encode(details) // of text that is UTF-8
	}
	return e
}
