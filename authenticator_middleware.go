package promptrails

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Middleware returns middleware that requires an API key with the given scopes,
// in the header X-API-Key or Authorization: Bearer (RFC 6750), or from the
// function of [WithAuthKeyFrom]. Handlers get the key with
// [PrincipalFromContext]. Other requests receive an error in the envelope of the
// API, or from the function of [WithAuthErrorHandler]: 400 for more than one key,
// 401 for a missing or invalid key, 403 for a missing scope or a disallowed
// address or origin, and 503 with Retry-After if the key cannot be verified.
//
// CORS preflight requests do not carry a key, so a CORS handler must wrap the
// middleware.
func (a *Authenticator) Middleware(scopes ...Scope) func(http.Handler) http.Handler {
	return a.middleware(false, scopes)
}

// OptionalMiddleware returns middleware like [Authenticator.Middleware] that also
// accepts requests without a key. Their handlers get no principal from
// [PrincipalFromContext]. A request with a key that Middleware would refuse is
// refused.
func (a *Authenticator) OptionalMiddleware(scopes ...Scope) func(http.Handler) http.Handler {
	return a.middleware(true, scopes)
}

func (a *Authenticator) middleware(optional bool, scopes []Scope) func(http.Handler) http.Handler {
	scopes = slices.Clone(scopes)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			principal, err := a.authenticateRequest(r, scopes, optional)
			switch {
			case err != nil:
				a.writeError(w, r, rejected(w.Header(), err, scopes))
			case principal == nil:
				next.ServeHTTP(w, r)
			default:
				next.ServeHTTP(w, r.WithContext(ContextWithPrincipal(r.Context(), principal)))
			}
		})
	}
}

type principalKey struct{}

// PrincipalFromContext returns the API key that authenticated a request. It is
// for handlers inside [Authenticator.Middleware] or
// [Authenticator.OptionalMiddleware].
func PrincipalFromContext(ctx context.Context) (*Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(*Principal)
	return p, ok && p != nil
}

// ContextWithPrincipal returns a context from which [PrincipalFromContext] returns
// p. It is for tests of handlers, and for middleware that authenticates in other
// ways.
func ContextWithPrincipal(ctx context.Context, p *Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// authenticateRequest returns the principal of a request. If the key is optional and
// absent, the principal is nil.
func (a *Authenticator) authenticateRequest(r *http.Request, scopes []Scope, optional bool) (*Principal, error) {
	key, ok, err := a.presentedKey(r)
	switch {
	case err != nil:
		return nil, err
	case !ok && optional:
		return nil, nil //nolint:nilnil // described above
	case !ok:
		return nil, a.missingKey()
	}
	ip := a.proxies.ClientIP(r.RemoteAddr, r.Header)
	// Multiple origins are joined into a value that matches no allowed origin.
	origin := strings.Join(r.Header.Values("Origin"), ", ")
	return a.Authenticate(r.Context(), key, AuthRequest{IP: ip, Origin: origin, Scopes: scopes})
}

func (a *Authenticator) missingKey() *Error {
	e := &Error{Status: http.StatusUnauthorized, Code: CodeUnauthorized, Message: "send an API key, as X-API-Key or as Authorization: Bearer"}
	if a.keyFrom != nil {
		e.Message = "send an API key"
	}
	return e
}

// presentedKey returns the only key of a request, and whether there is one. It
// returns an error for more than one credential. Any Bearer token counts as a
// credential.
func (a *Authenticator) presentedKey(r *http.Request) (key string, ok bool, err error) {
	if a.keyFrom != nil {
		key = a.keyFrom(r)
		return key, key != "", nil
	}
	h := r.Header
	empty := func(value string) bool { return strings.TrimSpace(value) == "" }
	keys, authorization := slices.DeleteFunc(slices.Clone(h.Values("X-API-Key")), empty), h.Values("Authorization")
	var token string
	var isBearer bool
	if len(authorization) == 1 {
		var scheme string
		scheme, token, _ = strings.Cut(authorization[0], " ")
		isBearer = strings.EqualFold(scheme, "Bearer")
	}
	switch {
	case len(keys) > 1 || len(authorization) > 1 || len(keys) == 1 && isBearer:
		return "", false, &Error{Status: http.StatusBadRequest, Code: CodeBadRequest, Message: "send exactly one API key, as X-API-Key or as Authorization: Bearer"}
	case len(keys) == 1:
		return keys[0], true, nil
	case isBearer:
		return strings.TrimSpace(token), true, nil
	default:
		return "", false, nil
	}
}

// rejected sets the headers of the response to a rejected request, and returns the
// error to write.
func rejected(h http.Header, err error, scopes []Scope) *Error {
	refused, _ := errors.AsType[*Error](err) // Authenticate always returns an *Error
	e := *refused
	e.cause = nil
	if e.Code == CodeUnavailable {
		// The reason is logged, but not sent to the caller.
		e.Message = "the API key cannot be verified now; try again"
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(max(e.retryAfter.Seconds(), 1)))))
	} else {
		h.Set("WWW-Authenticate", e.challenge(scopes))
	}
	h.Set("Cache-Control", "no-store")
	return &e
}

// writeAuthError writes the response to a rejected request in the envelope of the API.
func writeAuthError(w http.ResponseWriter, _ *http.Request, err error) {
	e, _ := errors.AsType[*Error](err)
	var details any
	if len(e.Details) > 0 {
		details = e.Details
	}
	wire.WriteFailure(w, e.Status, string(e.Code), e.Message, details)
}

// challenge returns the value of WWW-Authenticate (RFC 6750, section 3). It has
// no error code if the request has no key, or if the address or origin is not
// allowed.
func (e *Error) challenge(scopes []Scope) string {
	const realm = `Bearer realm="promptrails"`
	switch {
	case e.Status == http.StatusBadRequest:
		return realm + `, error="invalid_request", error_description="` + quotable(e.Message) + `"`
	case e.Status == http.StatusUnauthorized && e.Code != CodeUnauthorized:
		return realm + `, error="invalid_token", error_description="` + quotable(e.Message) + `"`
	case e.Code == CodeInsufficientScope:
		return realm + `, error="insufficient_scope", scope="` + quotable(Scopes(scopes).String()) + `"`
	default:
		return realm
	}
}

// quotable removes the characters that RFC 6750 does not allow in a quoted
// string.
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}
