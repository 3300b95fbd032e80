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
// in the header X-API-Key or Authorization: Bearer (RFC 6750). Handlers get the
// key with [PrincipalFromContext]. Other requests receive an error in the
// envelope of the API: 400 for more than one key, 401 for a missing or invalid
// key, 403 for a missing scope or a disallowed address or origin, and 503 with
// Retry-After if the key cannot be verified.
//
// CORS preflight requests do not carry a key, so a CORS handler must wrap the
// middleware.
func (a *Authenticator) Middleware(scopes ...Scope) func(http.Handler) http.Handler {
	scopes = slices.Clone(scopes)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			principal, err := a.authenticateRequest(r, scopes)
			if err != nil {
				writeAuthError(w, err, scopes)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, principal)))
		})
	}
}

type principalKey struct{}

// PrincipalFromContext returns the API key that authenticated a request. It is
// for handlers inside [Authenticator.Middleware].
func PrincipalFromContext(ctx context.Context) (*Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(*Principal)
	return p, ok
}

func (a *Authenticator) authenticateRequest(r *http.Request, scopes []Scope) (*Principal, error) {
	key, err := presentedKey(r.Header)
	if err != nil {
		return nil, err
	}
	ip := a.proxies.ClientIP(r.RemoteAddr, r.Header)
	// Multiple origins are joined into a value that matches no allowed origin.
	origin := strings.Join(r.Header.Values("Origin"), ", ")
	return a.Authenticate(r.Context(), key, AuthRequest{IP: ip, Origin: origin, Scopes: scopes})
}

// presentedKey returns the only key of a request. It returns an error for more
// than one credential. Any Bearer token counts as a credential.
func presentedKey(h http.Header) (string, error) {
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
		return "", &Error{Status: http.StatusBadRequest, Code: CodeBadRequest, Message: "send exactly one API key, as X-API-Key or as Authorization: Bearer"}
	case len(keys) == 1:
		return keys[0], nil
	case isBearer:
		return strings.TrimSpace(token), nil
	default:
		return "", &Error{Status: http.StatusUnauthorized, Code: CodeUnauthorized, Message: "send an API key, as X-API-Key or as Authorization: Bearer"}
	}
}

// writeAuthError writes the response to a rejected request.
func writeAuthError(w http.ResponseWriter, err error, scopes []Scope) {
	refused, _ := errors.AsType[*Error](err) // Authenticate always returns an *Error
	e := *refused
	h := w.Header()
	if e.Code == CodeUnavailable {
		// The reason is logged, but not sent to the caller.
		e.Message = "the API key cannot be verified now; try again"
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(max(e.retryAfter.Seconds(), 1)))))
	} else {
		h.Set("WWW-Authenticate", e.challenge(scopes))
	}
	h.Set("Cache-Control", "no-store")
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
