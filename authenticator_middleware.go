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

// Middleware lets a request through that carries an API key with the scopes, as
// X-API-Key or as Authorization: Bearer (RFC 6750). The handler finds whose it
// is by [PrincipalFromContext]. All others are answered in the API's own
// envelope of an error: 400 for more than one key, 401 for none or one that is
// not valid, 403 for one that may not do this, from here; and 503 with
// Retry-After where nobody can tell.
//
// A preflight of a browser carries no key: a handler of CORS belongs around the
// middleware, and not inside it.
func (a *Authenticator) Middleware(scopes ...Scope) func(http.Handler) http.Handler {
	scopes = slices.Clone(scopes)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			principal, err := a.authenticateRequest(r, scopes)
			if err != nil {
				answerRefusal(w, err, scopes)
				return
			}
			next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), principalKey{}, principal)))
		})
	}
}

type principalKey struct{}

// PrincipalFromContext returns the key that a request was made with, within a
// handler that [Authenticator.Middleware] guards.
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
	// Several origins are as good as one that matches nothing.
	origin := strings.Join(r.Header.Values("Origin"), ", ")
	return a.Authenticate(r.Context(), key, AuthRequest{IP: ip, Origin: origin, Scopes: scopes})
}

// presentedKey returns the one key of a request. What comes as a Bearer token
// counts, whatever it is: of two credentials nobody knows which is meant.
func presentedKey(h http.Header) (string, error) {
	empty := func(value string) bool { return strings.TrimSpace(value) == "" } // as good as none
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
		return "", &Error{Status: http.StatusBadRequest, Code: CodeBadRequest, Message: "send one API key, once: as X-API-Key or as Authorization: Bearer"}
	case len(keys) == 1:
		return keys[0], nil
	case isBearer:
		return strings.TrimSpace(token), nil
	default:
		return "", &Error{Status: http.StatusUnauthorized, Code: CodeUnauthorized, Message: "send an API key, as X-API-Key or as Authorization: Bearer"}
	}
}

// answerRefusal writes why a request is not let through.
func answerRefusal(w http.ResponseWriter, err error, scopes []Scope) {
	refused, _ := errors.AsType[*Error](err) // nothing else comes from Authenticate
	e := *refused
	h := w.Header()
	if e.Code == CodeUnavailable {
		// Why is for the log of this service.
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

// challenge is the value of WWW-Authenticate (RFC 6750, section 3). Who sent no
// key is told of no error, and a wrong address or origin has no code there.
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

// quotable keeps the characters that RFC 6750 allows in a quoted string.
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}
