package promptrails

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/redact"
)

// KeyVerifier says what a key is. See [WithAuthVerifier].
type KeyVerifier interface {
	// VerifyKey returns the key as it is, whatever it may do here and now. An
	// error that matches [ErrUnauthorized] or [ErrForbidden] refuses it; any
	// other says that it cannot be told now. It may be called concurrently.
	VerifyKey(ctx context.Context, key Secret) (*APIKey, error)
}

// askingUnderCredentials verifies through POST /api-keys/verify, with the key
// alone: the caller's address and origin are nobody else's business.
type askingUnderCredentials struct {
	client *Client
	worked *atomic.Bool // the credentials were accepted before
}

// VerifyKey implements [KeyVerifier].
func (v askingUnderCredentials) VerifyKey(ctx context.Context, key Secret) (*APIKey, error) {
	verdict, err := v.client.APIKeys.Verify(ctx, &VerifyAPIKeyParams{Key: key})
	if err == nil {
		v.worked.Store(true)
	}
	switch {
	case err != nil && v.workspaceGone(err):
		return nil, refusedKey(policy.KeyUnknown, nil) // with its workspace
	case err != nil:
		return nil, unavailable(err)
	case verdict.Valid && verdict.APIKey != nil:
		return verdict.APIKey, nil
	case !verdict.Valid && verdict.Code != "":
		return nil, refusedBy(verdict.Code)
	default:
		return nil, cannotVerify("the answer has neither a valid key nor the code of a refusal", 0)
	}
}

// workspaceGone reports whether the API says that the client's workspace no
// longer exists: to a person in so many words, and to a key by not knowing it
// any more, since a key alone is never deleted.
func (v askingUnderCredentials) workspaceGone(err error) bool {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok || !v.worked.Load():
		return false
	case v.client.conn.credentials.person():
		return e.Status == http.StatusNotFound && e.Code == CodeNotFound && e.isAbout(opWorkspacesGet, nil)
	default:
		return e.Status == http.StatusUnauthorized && e.Code == CodeInvalidAPIKey
	}
}

// askingAsTheKey verifies through GET /api-keys/current, called with the key.
type askingAsTheKey struct{ client *Client }

// VerifyKey implements [KeyVerifier].
func (v askingAsTheKey) VerifyKey(ctx context.Context, key Secret) (*APIKey, error) {
	creds, err := credentials{header: "X-API-Key"}.fixed(key.Reveal())
	if err != nil {
		return nil, err
	}
	k, err := one[APIKey](ctx, v.client, call{op: opAPIKeysCurrent, as: &creds})
	answer, _ := errors.AsType[*Error](err)
	switch {
	case err == nil && k.AllowedIPs != nil:
		return nil, notServed(CodeIPNotAllowed)
	case err == nil && k.AllowedOrigins != nil:
		return nil, notServed(CodeOriginNotAllowed)
	case err == nil:
		return k, nil
	case answer == nil:
		return nil, err
	case answer.Status == http.StatusForbidden && (answer.Code == CodeIPNotAllowed || answer.Code == CodeOriginNotAllowed):
		return nil, notServed(answer.Code)
	case answer.Status == http.StatusUnauthorized && answer.Code != "":
		return nil, refusedBy(answer.Code)
	default:
		return nil, unavailable(err)
	}
}

// notServed refuses a key with a list that the server would judge this program
// by, and not the program's caller.
func notServed(code ErrorCode) *Error {
	return &Error{
		Status: http.StatusForbidden, Code: code,
		Message: "the API key has a list of addresses or origins, which this service cannot judge: its authenticator's client needs credentials with the scope " + string(ScopeAPIKeysVerify),
	}
}

// refusedBy is a refusal by the code of the server's.
func refusedBy(code ErrorCode) *Error {
	known := []*policy.Refusal{policy.KeyRevoked, policy.KeyExpired}
	if i := slices.IndexFunc(known, func(r *policy.Refusal) bool { return r.Code == string(code) }); i >= 0 {
		return refusedKey(known[i], nil)
	}
	return refusedKey(policy.KeyUnknown, nil)
}

// keyError makes of a verifier's error a refusal of the key, or else one that
// says that it cannot be verified, and matches no refusal.
func keyError(err error, key Secret) *Error {
	e := unavailable(err)
	answer, ok := errors.AsType[*Error](err)
	switch {
	case ok && answer.Code != "" && (answer.Status == http.StatusUnauthorized || answer.Status == http.StatusForbidden || answer.retryAfter > 0):
		e = new(*answer)
	case errors.Is(err, ErrUnauthorized):
		e = refusedKey(policy.KeyUnknown, nil)
	case errors.Is(err, ErrForbidden):
		e = &Error{Status: http.StatusForbidden, Code: CodeForbidden, Message: "the API key may not be used here"}
	}
	secret := redact.New(key.Reveal())
	e.Message, e.Details = secret.Clean(e.Message), []byte(secret.Clean(string(e.Details)))
	return e
}

// unavailable says that a verification failed. It has the cause's text and not
// the cause, which may be a refusal of this program's own credentials.
func unavailable(err error) *Error {
	var wait time.Duration
	if limited, ok := errors.AsType[*RateLimitError](err); ok {
		wait = limited.RetryAfter
	}
	return cannotVerify(err.Error(), wait)
}

func cannotVerify(why string, wait time.Duration) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Code: CodeUnavailable, Message: "the API key cannot be verified now: " + why, retryAfter: max(wait, time.Second),
	}
}
