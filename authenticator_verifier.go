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

// KeyVerifier looks up API keys. See [WithAuthVerifier].
type KeyVerifier interface {
	// VerifyKey returns the API key that key identifies. The Authenticator
	// checks expiry, scopes, addresses and origins itself. An error that
	// matches [ErrUnauthorized] or [ErrForbidden] rejects the key. Any other
	// error means that the key cannot be verified now. Calls may be concurrent.
	VerifyKey(ctx context.Context, key Secret) (*APIKey, error)
}

// workspaceVerifier verifies keys with POST /api-keys/verify, under the
// client's credentials. It does not send the caller's address and origin.
type workspaceVerifier struct {
	client *Client
	worked *atomic.Bool // whether the credentials have been accepted before
}

// VerifyKey implements [KeyVerifier].
func (v workspaceVerifier) VerifyKey(ctx context.Context, key Secret) (*APIKey, error) {
	verdict, err := v.client.APIKeys.Verify(ctx, &VerifyAPIKeyParams{Key: key})
	if err == nil {
		v.worked.Store(true)
	}
	switch {
	case err != nil && v.workspaceGone(err):
		return nil, refusedKey(policy.KeyUnknown, nil) // deleted with its workspace
	case err != nil:
		return nil, unavailable(err)
	case verdict.Valid && verdict.APIKey != nil:
		return verdict.APIKey, nil
	case !verdict.Valid && verdict.Code != "":
		return nil, refusedBy(verdict.Code)
	default:
		return nil, cannotVerify("the response has neither a valid key nor an error code", 0)
	}
}

// workspaceGone reports whether err means that the client's workspace was
// deleted. For an access token, the API returns 404. An API key that worked
// before becomes unknown, because keys are deleted only with their workspace.
func (v workspaceVerifier) workspaceGone(err error) bool {
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

// selfVerifier verifies keys with GET /api-keys/current, called with the key.
type selfVerifier struct{ client *Client }

// VerifyKey implements [KeyVerifier].
func (v selfVerifier) VerifyKey(ctx context.Context, key Secret) (*APIKey, error) {
	creds, err := credentials{header: "X-API-Key"}.fixed(key.Reveal())
	if err != nil {
		return nil, err
	}
	k, err := one[APIKey](ctx, v.client, call{op: opAPIKeysCurrent, as: &creds})
	failed, _ := errors.AsType[*Error](err)
	switch {
	case err == nil && k.AllowedIPs != nil:
		return nil, notServed(CodeIPNotAllowed)
	case err == nil && k.AllowedOrigins != nil:
		return nil, notServed(CodeOriginNotAllowed)
	case err == nil:
		return k, nil
	case failed == nil:
		return nil, err
	case failed.Status == http.StatusForbidden && (failed.Code == CodeIPNotAllowed || failed.Code == CodeOriginNotAllowed):
		return nil, notServed(failed.Code)
	case failed.Status == http.StatusUnauthorized && failed.Code != "":
		return nil, refusedBy(failed.Code)
	default:
		return nil, unavailable(err)
	}
}

// notServed returns the error for a key with a list of addresses or origins.
// The server would check them against this program instead of its caller.
func notServed(code ErrorCode) *Error {
	return &Error{
		Status: http.StatusForbidden, Code: code,
		Message: "the API key has a list of addresses or origins, which this service cannot check: its authenticator's client requires credentials with the scope " + string(ScopeAPIKeysVerify),
	}
}

// refusedBy returns the refusal for an error code of the server.
func refusedBy(code ErrorCode) *Error {
	known := []*policy.Refusal{policy.KeyRevoked, policy.KeyExpired}
	if i := slices.IndexFunc(known, func(r *policy.Refusal) bool { return r.Code == string(code) }); i >= 0 {
		return refusedKey(known[i], nil)
	}
	return refusedKey(policy.KeyUnknown, nil)
}

// keyError converts a verifier's error to a refusal of the key, or to an error
// that matches ErrUnavailable.
func keyError(err error, key Secret) *Error {
	e := unavailable(err)
	failed, ok := errors.AsType[*Error](err)
	switch {
	case ok && failed.Code != "" && (failed.Status == http.StatusUnauthorized || failed.Status == http.StatusForbidden || failed.retryAfter > 0):
		e = new(*failed)
	case errors.Is(err, ErrUnauthorized):
		e = refusedKey(policy.KeyUnknown, nil)
	case errors.Is(err, ErrForbidden):
		e = &Error{Status: http.StatusForbidden, Code: CodeForbidden, Message: "the API key may not be used here"}
	}
	secret := redact.New(key.Reveal())
	e.Message, e.Details = secret.Clean(e.Message), []byte(secret.Clean(string(e.Details)))
	return e
}

// unavailable returns the error for a failed verification. It includes the text
// of err but does not wrap it, because err may be a refusal of this program's
// own credentials.
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
