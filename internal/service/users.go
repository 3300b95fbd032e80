package service

import (
	"context"
	"iter"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// CreateUser creates a user and an access token that does not expire.
func (s *Service) CreateUser(ctx context.Context, email, name string) (*promptrails.User, promptrails.Secret, error) {
	bad := faults{}
	bad.add("email", emailFault(email))
	bad.add("name", lineFault(name, 0, 200))
	if err := bad.err(); err != nil {
		return nil, promptrails.Secret{}, err
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	user := &promptrails.User{ID: s.ids.next(now), Email: email, Name: name}
	var token promptrails.Secret
	err := s.Store.Write(ctx, func(g *store.Global) (err error) {
		if err = g.CreateUser(user, now); err == nil {
			_, token, err = s.issue(g, user.ID, now, 0)
		}
		return err
	})
	if isExists(err) {
		err = conflict("already_exists", "a user with the address %s already exists", email)
	}
	return user, token, err
}

// UserByEmail returns the user with an email address.
func (s *Service) UserByEmail(ctx context.Context, email string) (user *promptrails.User, err error) {
	err = s.Store.Read(ctx, func(g *store.Global) error {
		user, err = g.UserByEmail(email)
		return orNotFound(err, "user")
	})
	return user, err
}

// usersPage is the number of users that are read at a time.
const usersPage = 500

// Users yields all users, in the order of their creation.
func (s *Service) Users(ctx context.Context) iter.Seq2[*promptrails.User, error] {
	return func(yield func(*promptrails.User, error) bool) {
		for after := ""; ; {
			var users []*promptrails.User
			err := s.Store.Read(ctx, func(g *store.Global) (err error) {
				users, err = g.Users(after, usersPage)
				return err
			})
			if err != nil {
				yield(nil, err)
				return
			}
			for _, u := range users {
				if !yield(u, nil) {
					return
				}
				after = u.ID
			}
			if len(users) < usersPage {
				return
			}
		}
	}
}

// IssueAccessToken issues an access token for a user. If ttl is 0, the token
// does not expire.
func (s *Service) IssueAccessToken(ctx context.Context, userID string, ttl time.Duration) (row *store.AccessToken, token promptrails.Secret, err error) {
	if ttl < 0 {
		return nil, promptrails.Secret{}, invalid("ttl", "must not be negative")
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	err = s.Store.Write(ctx, func(g *store.Global) (err error) {
		if _, err := g.User(userID); err != nil {
			return orNotFound(err, "user")
		}
		row, token, err = s.issue(g, userID, now, ttl)
		return err
	})
	return row, token, err
}

func (s *Service) issue(g *store.Global, userID string, now time.Time, ttl time.Duration) (*store.AccessToken, promptrails.Secret, error) {
	row := &store.AccessToken{ID: s.ids.next(now), CreatedAt: now}
	if ttl > 0 {
		row.ExpiresAt = now.Add(ttl)
	}
	token := newToken(accessTokenPrefix)
	return row, token, g.CreateAccessToken(userID, row, hash(token))
}

// AccessTokens lists a user's access tokens. The result does not include the
// secret values.
func (s *Service) AccessTokens(ctx context.Context, userID string) (tokens []*store.AccessToken, err error) {
	err = s.Store.Read(ctx, func(g *store.Global) error {
		if _, err := g.User(userID); err != nil {
			return orNotFound(err, "user")
		}
		tokens, err = g.AccessTokens(userID)
		return err
	})
	return tokens, err
}

// RevokeAccessToken revokes an access token immediately.
func (s *Service) RevokeAccessToken(ctx context.Context, id string) error {
	return s.Store.Write(ctx, func(g *store.Global) error { return orNotFound(g.DeleteAccessToken(id), "access token") })
}
