package embedded

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// User is a user of the service.
type User struct {
	ID          string
	Email       string
	Name        string
	AccessToken promptrails.Secret // set by CreateUser only; the service stores only its hash
}

// CreateUser creates a user and an access token that does not expire. Email
// addresses are compared without regard to the case of ASCII letters. If the
// address is in use, CreateUser returns [promptrails.ErrConflict]; if it is
// invalid, [promptrails.ErrValidation].
func (s *Service) CreateUser(ctx context.Context, email, name string) (*User, error) {
	u, token, err := s.service.CreateUser(ctx, email, name)
	if err != nil {
		return nil, publicError(err)
	}
	return &User{ID: u.ID, Email: u.Email, Name: u.Name, AccessToken: token}, nil
}

// UserByEmail returns the user with an email address, compared without regard
// to the case of ASCII letters. The result has no access token; to issue
// another one, call [Service.IssueAccessToken]. An unknown address is
// [promptrails.ErrNotFound].
func (s *Service) UserByEmail(ctx context.Context, email string) (*User, error) {
	u, err := s.service.UserByEmail(ctx, email)
	if err != nil {
		return nil, publicError(err)
	}
	return &User{ID: u.ID, Email: u.Email, Name: u.Name}, nil
}

// Users yields all users, in the order of their creation, without access tokens. It
// reads them in pages, and includes users that are created meanwhile.
func (s *Service) Users(ctx context.Context) iter.Seq2[*User, error] {
	return func(yield func(*User, error) bool) {
		for u, err := range s.service.Users(ctx) {
			if err != nil {
				yield(nil, publicError(err))
				return
			}
			if !yield(&User{ID: u.ID, Email: u.Email, Name: u.Name}, nil) {
				return
			}
		}
	}
}

// AccessToken authenticates a user.
type AccessToken struct {
	ID        string
	Token     promptrails.Secret // set by IssueAccessToken only
	CreatedAt time.Time
	ExpiresAt time.Time // the token is expired from this time on; zero: never
}

// IssueAccessToken issues another access token for a user. It expires after
// ttl, or never if ttl is 0. An unknown user is [promptrails.ErrNotFound].
func (s *Service) IssueAccessToken(ctx context.Context, userID string, ttl time.Duration) (*AccessToken, error) {
	t, token, err := s.service.IssueAccessToken(ctx, userID, ttl)
	if err != nil {
		return nil, publicError(err)
	}
	return &AccessToken{ID: t.ID, Token: token, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}, nil
}

// AccessTokens returns a user's access tokens, newest first, including expired
// ones. The tokens themselves are omitted. An unknown user is
// [promptrails.ErrNotFound].
func (s *Service) AccessTokens(ctx context.Context, userID string) ([]*AccessToken, error) {
	rows, err := s.service.AccessTokens(ctx, userID)
	if err != nil {
		return nil, publicError(err)
	}
	tokens := make([]*AccessToken, len(rows))
	for i, t := range rows {
		tokens[i] = &AccessToken{ID: t.ID, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}
	}
	return tokens, nil
}

// RevokeAccessToken revokes an access token immediately. An unknown token is
// [promptrails.ErrNotFound].
func (s *Service) RevokeAccessToken(ctx context.Context, id string) error {
	return publicError(s.service.RevokeAccessToken(ctx, id))
}

// publicError converts a refusal to the error type that the client returns.
func publicError(err error) error {
	refusal, ok := errors.AsType[*policy.Refusal](err)
	if !ok {
		return err
	}
	if fields, ok := refusal.Details["fields"].(map[string]string); ok && refusal.Status == http.StatusBadRequest {
		return &promptrails.ValidationError{Fields: fields}
	}
	return &promptrails.Error{Status: refusal.Status, Code: promptrails.ErrorCode(refusal.Code), Message: refusal.Message}
}
