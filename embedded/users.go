package embedded

import (
	"context"
	"errors"
	"net/http"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// User is a person that the service knows.
type User struct {
	ID          string
	Email       string
	Name        string
	AccessToken promptrails.Secret // shown once; the service keeps its hash alone
}

// CreateUser adds a person, with an access token that has no end. An address
// that is known, whatever the case of its ASCII letters, is
// [promptrails.ErrConflict]; an invalid one, [promptrails.ErrValidation].
func (s *Service) CreateUser(ctx context.Context, email, name string) (*User, error) {
	u, token, err := s.service.CreateUser(ctx, email, name)
	if err != nil {
		return nil, publicError(err)
	}
	return &User{ID: u.ID, Email: u.Email, Name: u.Name, AccessToken: token}, nil
}

// UserByEmail returns the person with an address, whatever the case of its ASCII
// letters, without an access token: [Service.IssueAccessToken] makes another one
// for a person who has lost theirs. An unknown address is
// [promptrails.ErrNotFound].
func (s *Service) UserByEmail(ctx context.Context, email string) (*User, error) {
	u, err := s.service.UserByEmail(ctx, email)
	if err != nil {
		return nil, publicError(err)
	}
	return &User{ID: u.ID, Email: u.Email, Name: u.Name}, nil
}

// AccessToken lets a person in.
type AccessToken struct {
	ID        string
	Token     promptrails.Secret // after IssueAccessToken alone
	CreatedAt time.Time
	ExpiresAt time.Time // at this moment it has ended; zero: no end
}

// IssueAccessToken makes another token for a person, which ends after ttl; 0 is
// without end. A person that is not known is [promptrails.ErrNotFound].
func (s *Service) IssueAccessToken(ctx context.Context, userID string, ttl time.Duration) (*AccessToken, error) {
	t, token, err := s.service.IssueAccessToken(ctx, userID, ttl)
	if err != nil {
		return nil, publicError(err)
	}
	return &AccessToken{ID: t.ID, Token: token, CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt}, nil
}

// AccessTokens returns a person's tokens, the newest first, those that have
// ended included and without the tokens themselves. A person that is not known
// is [promptrails.ErrNotFound].
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

// RevokeAccessToken ends a token at once. One that is not known is
// [promptrails.ErrNotFound].
func (s *Service) RevokeAccessToken(ctx context.Context, id string) error {
	return publicError(s.service.RevokeAccessToken(ctx, id))
}

// publicError gives a refusal the type that the client gives it.
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
