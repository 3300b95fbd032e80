package service

import (
	"context"
	"errors"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/apikey"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// The prefixes of the service's own tokens, which differ from [apikey.Prefix].
const (
	accessTokenPrefix = "pat_"
	invitationPrefix  = "inv_"
)

// KeyBySecret finds the key that a secret is. What it may do is judged in the
// transaction of what it does.
func (s *Service) KeyBySecret(ctx context.Context, secret promptrails.Secret) (key *CallingKey, err error) {
	if !apikey.IsKey(secret.Reveal()) {
		return nil, UnknownAPIKey()
	}
	err = s.Store.Read(ctx, func(g *store.Global) error {
		workspace, err := g.APIKeyWorkspace(hash(secret))
		if err != nil {
			return orUnknownKey(err)
		}
		tx, err := g.Workspace(workspace)
		if err != nil {
			return orUnknownKey(err)
		}
		k, err := tx.APIKeyByHash(hash(secret), s.Now())
		if err != nil {
			return orUnknownKey(err)
		}
		key = &CallingKey{ID: k.ID, WorkspaceID: k.WorkspaceID}
		return nil
	})
	return key, err
}

// newToken returns a random token that begins with prefix.
func newToken(prefix string) promptrails.Secret { return promptrails.NewSecret(apikey.Token(prefix)) }

// hash returns the hash by which a key or token is stored and looked up.
func hash(s promptrails.Secret) []byte {
	sum := apikey.Hash(s.Reveal())
	return sum[:]
}

// UserByToken returns the person that an access token is of.
func (s *Service) UserByToken(ctx context.Context, token promptrails.Secret) (*promptrails.User, error) {
	text := token.Reveal()
	refused := Unauthorized("the access token is not known, has expired or was revoked")
	switch {
	case strings.HasPrefix(text, accessTokenPrefix):
		user, err := s.userByOwnToken(ctx, token)
		if errors.Is(err, store.ErrNotFound) {
			return nil, refused
		}
		return user, err
	case strings.HasPrefix(text, apikey.Prefix):
		return nil, Unauthorized("an API key goes into X-API-Key, not into Authorization")
	case s.AuthenticateUser == nil:
		return nil, refused
	}
	email, name, err := s.AuthenticateUser(ctx, text)
	switch {
	case errors.Is(err, promptrails.ErrUnauthorized):
		return nil, refused
	case err != nil:
		return nil, Unavailable(err)
	}
	return s.knownAs(ctx, email, name)
}

func (s *Service) userByOwnToken(ctx context.Context, token promptrails.Secret) (user *promptrails.User, err error) {
	err = s.Store.Read(ctx, func(g *store.Global) error {
		var expires time.Time
		if user, expires, err = g.UserByToken(hash(token)); err != nil {
			return err
		}
		if !expires.IsZero() && !s.Now().Before(expires) {
			return store.ErrNotFound
		}
		return nil
	})
	return user, err
}

// knownAs returns the person with an address that an identity provider vouches
// for, made on first sight and renamed when the provider does so.
func (s *Service) knownAs(ctx context.Context, email, name string) (user *promptrails.User, err error) {
	if fault := emailFault(email); fault != "" {
		return nil, Unavailable(errors.New("Config.AuthenticateUser: the address " + fault))
	}
	err = s.Store.Read(ctx, func(g *store.Global) error {
		user, err = g.UserByEmail(email)
		return err
	})
	switch {
	case err == nil && (name == "" || user.Name == name):
		return user, nil
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	err = s.Store.Write(ctx, func(g *store.Global) error {
		user, err = g.UserByEmail(email)
		if errors.Is(err, store.ErrNotFound) {
			user = &promptrails.User{ID: s.NewID(), Email: email, Name: name}
			return g.CreateUser(user, s.Now())
		}
		if err != nil {
			return err
		}
		user.Name = name
		return g.RenameUser(user, name)
	})
	return user, err
}

// CreateUser adds a person, with an access token that has no end.
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
		err = conflict("already_exists", "there is a user with the address %s", email)
	}
	return user, token, err
}

// UserByEmail returns the person with an address.
func (s *Service) UserByEmail(ctx context.Context, email string) (user *promptrails.User, err error) {
	err = s.Store.Read(ctx, func(g *store.Global) error {
		user, err = g.UserByEmail(email)
		return missing(err, "user")
	})
	return user, err
}

// IssueAccessToken makes a token for a person; ttl 0 is without end.
func (s *Service) IssueAccessToken(ctx context.Context, userID string, ttl time.Duration) (row *store.AccessToken, token promptrails.Secret, err error) {
	if ttl < 0 {
		return nil, promptrails.Secret{}, invalid("ttl", "must not be negative")
	}
	now := s.Now().UTC().Truncate(time.Microsecond)
	err = s.Store.Write(ctx, func(g *store.Global) (err error) {
		if _, err := g.User(userID); err != nil {
			return missing(err, "user")
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

// AccessTokens returns a person's tokens, without the tokens themselves.
func (s *Service) AccessTokens(ctx context.Context, userID string) (tokens []*store.AccessToken, err error) {
	err = s.Store.Read(ctx, func(g *store.Global) error {
		if _, err := g.User(userID); err != nil {
			return missing(err, "user")
		}
		tokens, err = g.AccessTokens(userID)
		return err
	})
	return tokens, err
}

// RevokeAccessToken ends a token at once.
func (s *Service) RevokeAccessToken(ctx context.Context, id string) error {
	return s.Store.Write(ctx, func(g *store.Global) error { return missing(g.DeleteAccessToken(id), "access token") })
}
