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

// Authenticator protects a service with PromptRails API keys. It looks up keys
// with a [KeyVerifier] and caches the result. At each use it checks the key's
// expiry, scopes, and allowed addresses and origins, by the rules of the
// PromptRails API. It is safe for concurrent use and should be reused.
//
// A key that is revoked elsewhere is accepted for up to the cache TTL, and for
// up to MaxStale longer while the API is unavailable. If a key is changed
// through the authenticator's client, by a method of [APIKeysService], by
// [MembersService.Update], [MembersService.Remove] or [WorkspacesService.Delete],
// its next use is verified again.
type Authenticator struct {
	verifier     KeyVerifier
	workspace    string // the workspace of accepted keys; empty accepts any
	keysCarrySum bool
	proxies      policy.Proxies
	keys         *keyCache
	keyFrom      func(*http.Request) string // nil: X-API-Key or Authorization
	writeError   func(http.ResponseWriter, *http.Request, error)
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
	addressRate      float64
	addressBurst     int // 0: a part of rate and burst
	proxies          policy.Proxies
	staleWait        time.Duration
	keyFrom          func(*http.Request) string
	writeError       func(http.ResponseWriter, *http.Request, error)
	err              error // from an invalid option
}

// WithAuthVerifier looks up keys with v instead of the client. If v panics,
// [Authenticator.Authenticate] returns [ErrUnavailable].
func WithAuthVerifier(v KeyVerifier) AuthenticatorOption {
	return func(c *authenticatorConfig) {
		if c.verifier = v; v == nil {
			c.err = invalid("WithAuthVerifier", "must not be nil")
		}
	}
}

// WithAuthAnyWorkspace accepts keys of all workspaces, not only the client's.
// Handlers must check [Principal.WorkspaceID].
func WithAuthAnyWorkspace() AuthenticatorOption {
	return func(c *authenticatorConfig) { c.anyWorkspace = true }
}

// WithAuthKeyChecksums rejects keys with an invalid checksum without calling
// the verifier. Use it for keys of the embedded service, which always have a
// checksum. It is not known whether the vendor's keys have one.
func WithAuthKeyChecksums() AuthenticatorOption {
	return func(c *authenticatorConfig) { c.keysCarrySum = true }
}

// WithAuthCacheTTL sets how long an accepted key is cached. The default is
// 30 s. A key is never cached beyond its expiry or the end of its overlap. If d
// is 0, each use is verified.
func WithAuthCacheTTL(d time.Duration) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.ttl = d }
}

// WithAuthNegativeTTL sets how long a rejected key is cached. The default is
// 5 s.
func WithAuthNegativeTTL(d time.Duration) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.negativeTTL = d }
}

// WithAuthCacheSize sets the maximum number of accepted keys, and of rejected
// keys, in the cache. The default is 10 000 each. A key uses about 1 KB.
func WithAuthCacheSize(n int) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.size = n }
}

// WithAuthMaxStale accepts a cached key for up to d after the TTL while the API
// is unavailable. The default is 0. A key is never accepted beyond its expiry
// or the end of its overlap. A revoked key is accepted for at most TTL +
// MaxStale.
func WithAuthMaxStale(d time.Duration) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.maxStale = d }
}

// WithAuthStaleWait sets how long a request waits for the API before it uses a
// stale key, which [WithAuthMaxStale] allows. The default is 1 s. Requests do
// not wait if the previous verification of the key failed.
func WithAuthStaleWait(d time.Duration) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.staleWait = d }
}

// WithAuthUnknownKeyRate limits the rate of verifications of keys that are not
// cached, which protects the verifier from floods of invalid keys. The default
// is 100 per second with a burst of 1000. Above the limit,
// [Authenticator.Authenticate] returns [ErrUnavailable]. The burst must cover
// the keys that are in use when the service starts, and half of it the keys from
// one address.
func WithAuthUnknownKeyRate(perSecond float64, burst int) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.rate, c.burst = perSecond, burst }
}

// WithAuthUnknownKeyRatePerAddress sets the share of one address in the rate of
// [WithAuthUnknownKeyRate], so that a flood from a few addresses does not keep out
// new keys from others. The default is a tenth: 10 per second with a burst of 100.
// An address that has used its share can use the rest of the overall rate, but
// only half of the overall burst. The other half, less the shares of the
// addresses in the flood, is left to others: by default, during a flood from up
// to four addresses, 60 keys per second with a burst of 100. A flood from many
// addresses can use up the overall rate.
//
// IPv6 addresses in the same /64 count as one, and a /48 has the share of four.
// Callers without an address share one. Behind a proxy, use
// [WithAuthTrustedProxies]: otherwise all callers have the address of the proxy.
// If callers use the same key at the same time, only the address of the first one
// counts, and a refusal applies to all of them. The memory is limited to about
// 4 MB.
func WithAuthUnknownKeyRatePerAddress(perSecond float64, burst int) AuthenticatorOption {
	return func(c *authenticatorConfig) {
		c.addressRate, c.addressBurst = perSecond, burst
		if !(perSecond > 0) || burst < 1 { // also rejects NaN
			c.err = invalid("WithAuthUnknownKeyRatePerAddress", "must be more than 0 per second, with a burst of at least 1")
		}
	}
}

// WithAuthTrustedProxies sets the proxies whose X-Forwarded-For header, or the
// header of [WithAuthForwardedHeader], is trusted by the middleware. The
// caller's address is the last address in the header that is not a trusted
// proxy. Without trusted proxies, it is the address of the connection.
func WithAuthTrustedProxies(proxies ...netip.Prefix) AuthenticatorOption {
	return func(c *authenticatorConfig) { c.proxies.Prefixes = slices.Clone(proxies) }
}

// WithAuthTrustedUnixSocket trusts peers without an address, such as those on a
// Unix socket, like the proxies of [WithAuthTrustedProxies].
func WithAuthTrustedUnixSocket() AuthenticatorOption {
	return func(c *authenticatorConfig) { c.proxies.UnixSocket = true }
}

// WithAuthForwardedHeader sets the header that is read from trusted proxies:
// X-Forwarded-For (the default), Forwarded (RFC 7239), or X-Real-IP, which
// contains a single address. The proxy must set or extend it in every request.
func WithAuthForwardedHeader(name string) AuthenticatorOption {
	return func(c *authenticatorConfig) {
		c.proxies.Header = http.CanonicalHeaderKey(name)
		if !slices.Contains(policy.ForwardedHeaders, c.proxies.Header) {
			c.err = invalid("WithAuthForwardedHeader", "must be one of "+strings.Join(policy.ForwardedHeaders, ", "))
		}
	}
}

// WithAuthKeyFrom reads the key of a request with from, for example from another
// header, instead of X-API-Key and Authorization. A request for which from returns
// "" has no key. Calls of from may be concurrent.
func WithAuthKeyFrom(from func(*http.Request) string) AuthenticatorOption {
	return func(c *authenticatorConfig) {
		if c.keyFrom = from; from == nil {
			c.err = invalid("WithAuthKeyFrom", "must not be nil")
		}
	}
}

// WithAuthErrorHandler writes the responses of the middleware to rejected requests
// with write, which receives a [*Error] and must call WriteHeader with its Status.
// The headers WWW-Authenticate or Retry-After, and Cache-Control, are set before,
// and write may change them. The error has no cause, and its Code, Message and
// Details may be sent to the caller.
func WithAuthErrorHandler(write func(http.ResponseWriter, *http.Request, error)) AuthenticatorOption {
	return func(c *authenticatorConfig) {
		if c.writeError = write; write == nil {
			c.err = invalid("WithAuthErrorHandler", "must not be nil")
		}
	}
}

// NewAuthenticator returns an Authenticator that looks up keys through c.
//
// If c has credentials, keys are verified with POST /api-keys/verify. The
// credentials require the scope api_keys:verify, or the role admin, and can
// verify only the keys of their workspace.
//
// If c has no credentials, keys are verified with GET /api-keys/current, called
// with the key itself. Keys with a list of allowed addresses or origins are
// then rejected, because the server would check this program's address instead
// of the caller's. Only keys of the client's workspace ([WithWorkspace]) are
// accepted, unless [WithAuthAnyWorkspace] is given.
//
// With [WithAuthVerifier], c may be nil. NewAuthenticator returns a
// [*ValidationError] if the configuration is invalid.
func NewAuthenticator(c *Client, opts ...AuthenticatorOption) (*Authenticator, error) {
	cfg := authenticatorConfig{writeError: writeAuthError, ttl: 30 * time.Second, negativeTTL: 5 * time.Second, size: 10_000, rate: 100, burst: 1000, staleWait: time.Second}
	for _, opt := range opts {
		if opt != nil {
			opt(&cfg)
		}
	}
	if err := cfg.check(c); err != nil {
		return nil, err
	}
	a := &Authenticator{
		verifier: cfg.verifier, keysCarrySum: cfg.keysCarrySum, proxies: cfg.proxies, keys: newKeyCache(&cfg),
		keyFrom: cfg.keyFrom, writeError: cfg.writeError,
	}
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
		a.verifier = selfVerifier{c}
	default:
		a.verifier = workspaceVerifier{c, new(atomic.Bool)}
	}
	return a, nil
}

func (cfg *authenticatorConfig) check(c *Client) error {
	switch {
	case cfg.err != nil:
		return cfg.err
	case c == nil && cfg.verifier == nil:
		return invalid("client", "must not be nil without WithAuthVerifier")
	case cfg.ttl < 0 || cfg.negativeTTL < 0 || cfg.maxStale < 0 || cfg.staleWait < 0:
		return invalid("WithAuthCacheTTL, WithAuthNegativeTTL, WithAuthMaxStale, WithAuthStaleWait", "must not be negative")
	case cfg.size < 1:
		return invalid("WithAuthCacheSize", "must be at least 1")
	case !(cfg.rate > 0) || cfg.burst < 1: // also rejects NaN
		return invalid("WithAuthUnknownKeyRate", "must be more than 0 per second, with a burst of at least 1")
	case cfg.verifier != nil:
		return nil
	case c.conn.credentials.header != "":
		return c.checkWorkspace(opAPIKeysVerify)
	case c.workspace == "" && !cfg.anyWorkspace:
		return invalid("client", "has neither credentials nor a workspace; use WithWorkspace to accept only the keys of one workspace, or WithAuthAnyWorkspace")
	default:
		return nil
	}
}

// AuthRequest describes a use of an API key.
type AuthRequest struct {
	IP     netip.Addr // the caller's address, which has a rate of unknown keys; an invalid one is never in a list
	Origin string     // the Origin header, or empty without one
	Scopes []Scope    // the required scopes
}

// Principal is the API key that authenticated a request.
type Principal struct {
	KeyID       string
	WorkspaceID string
	Name        string // of the key
	CreatedBy   string // id of the user who created the key
	Scopes      Scopes
	ExpiresAt   time.Time // zero if the key does not expire
}

// Authenticate verifies a key for the use described by r and returns its
// principal. It returns [ErrUnauthorized] if the key is unknown, revoked or
// expired, [ErrForbidden] if the address or origin is not allowed, a
// [*ScopeError] if a scope is missing, and [ErrUnavailable] if the key cannot
// be verified. The wrapped [*Error] has the status and code that the API uses
// for the same error.
func (a *Authenticator) Authenticate(ctx context.Context, key string, r AuthRequest) (*Principal, error) {
	return a.keys.counts.outcome(a.authenticate(ctx, key, r))
}

func (a *Authenticator) authenticate(ctx context.Context, key string, r AuthRequest) (*Principal, error) {
	if !apikey.IsKey(key) || a.keysCarrySum && !apikey.HasChecksum(key) {
		return nil, refusedKey(policy.KeyUnknown, nil)
	}
	k, now, err := a.keys.get(ctx, key, r.IP)
	if err != nil {
		return nil, err
	}
	return k.admit(now, &r)
}

// verify looks up a key. A key of another workspace is treated as unknown.
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
		return nil, cannotVerify("the verifier returned a key without an id or workspace", 0)
	case a.workspace != "" && k.WorkspaceID != a.workspace:
		return nil, refusedKey(policy.KeyUnknown, nil)
	case k.Status == APIKeyRevoked:
		return nil, refusedKey(policy.KeyRevoked, nil)
	case k.Status == APIKeyExpired:
		return nil, refusedKey(policy.KeyExpired, nil)
	case k.Status != "" && k.Status != APIKeyActive && k.Status != APIKeyRotating:
		return nil, refusedKey(policy.KeyUnknown, nil) // an unknown status
	default:
		held := *k // copied, because the verifier may change its key
		held.Scopes, held.AllowedIPs, held.AllowedOrigins = slices.Clone(k.Scopes), slices.Clone(k.AllowedIPs), slices.Clone(k.AllowedOrigins)
		return &held, nil
	}
}

// admit checks one use of a key.
func (k *heldKey) admit(now time.Time, r *AuthRequest) (*Principal, error) {
	origins := []string{r.Origin} // an empty origin is never in a list
	refusal, lacking := k.rules.Judge(policy.Use{At: now, IP: &r.IP, Origins: &origins}, r.Scopes...)
	switch refusal {
	case nil:
		var admitted struct { // one allocation for both
			Principal
			scopes [8]Scope // more scopes are allocated separately
		}
		admitted.Principal = k.principal
		if k.principal.Scopes != nil {
			admitted.Scopes = append(admitted.scopes[:0], k.principal.Scopes...) // the caller may change them
		}
		return &admitted.Principal, nil
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

// refusedKey returns a refusal as an error.
func refusedKey(r *policy.Refusal, details any) *Error {
	e := &Error{Status: r.Status, Code: ErrorCode(r.Code), Message: r.Message}
	if details != nil {
		e.Details, _ = wire.Encode(details) // cannot fail, since the text is valid UTF-8
	}
	return e
}
