package service

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/apikey"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// The prefixes of the service's own tokens. They differ from [apikey.Prefix].
const (
	accessTokenPrefix = "pat_"
	invitationPrefix  = "inv_"
)

// Caller is the user or the key of a request, with its network origin. [Service.Identify]
// authenticates it before the request, or the transaction of the request does.
type Caller struct {
	User      *promptrails.User   // nil for a key
	Key       *promptrails.APIKey // nil for a user
	IP        netip.Addr
	Origins   []string // the Origin headers
	UserAgent string
	RequestID string
	Quota     *Quota // nil if the rate is not limited, or the caller is not authenticated
	Workspace string // the id of the workspace that the caller was admitted to, or ""

	authenticate func(*store.Global) error // sets User or Key; nil after it was called
}

// principal identifies the caller in stored outcomes.
func (c *Caller) principal() string {
	if c.Key != nil {
		return "api_key:" + c.Key.ID
	}
	return "user:" + c.User.ID
}

// Principal is the type and the id of the caller, or "" if it is not authenticated.
func (c *Caller) Principal() string {
	if c.Key == nil && c.User == nil {
		return ""
	}
	return c.principal()
}

// Need is the permission that a request requires.
type Need struct {
	Scope     promptrails.Scope // of a key; empty: API keys are refused
	AnyKey    bool              // every API key is accepted
	Role      promptrails.Role  // the minimum role of a user
	Workspace WorkspaceSource
}

// WorkspaceSource is the part of a request that names its workspace.
type WorkspaceSource int

// The sources of a request's workspace.
const (
	FromHeader  WorkspaceSource = iota // an id, in X-Workspace-ID
	FromPath                           // an id or slug, in the path
	NoWorkspace                        // the request is in no workspace
)

// Identify authenticates a caller before the transaction of its request. It is for
// requests whose body is read in between.
func (s *Service) Identify(ctx context.Context, c *Caller) error {
	if c.authenticate == nil {
		return nil
	}
	authenticate := c.authenticate
	c.authenticate = nil
	return s.Store.Read(ctx, authenticate)
}

// WithKey makes the caller an API key.
func (s *Service) WithKey(c *Caller, secret promptrails.Secret) error {
	if !apikey.IsKey(secret.Reveal()) {
		return UnknownAPIKey()
	}
	c.authenticate = func(g *store.Global) (err error) {
		if c.Key, err = g.APIKeyByHash(hash(secret), s.Now()); err != nil {
			c.Key = nil
			return orUnknownKey(err)
		}
		return s.take(c)
	}
	return nil
}

// newToken returns a random token that begins with prefix.
func newToken(prefix string) promptrails.Secret { return promptrails.NewSecret(apikey.Token(prefix)) }

// hash returns the hash by which a key or token is stored and looked up.
func hash(s promptrails.Secret) []byte {
	sum := apikey.Hash(s.Reveal())
	return sum[:]
}

// WithToken makes the caller the owner of an access token.
func (s *Service) WithToken(ctx context.Context, c *Caller, token promptrails.Secret) error {
	text := token.Reveal()
	refused := Unauthorized("the access token is invalid, expired or revoked")
	switch {
	case strings.HasPrefix(text, accessTokenPrefix):
		c.authenticate = func(g *store.Global) (err error) {
			var expires time.Time
			c.User, expires, err = g.UserByToken(hash(token))
			if errors.Is(err, store.ErrNotFound) || err == nil && !expires.IsZero() && !s.Now().Before(expires) {
				c.User = nil
				return refused
			}
			if err != nil {
				c.User = nil
				return err
			}
			return s.take(c)
		}
		return nil
	case strings.HasPrefix(text, apikey.Prefix):
		return Unauthorized("send an API key in X-API-Key, not in Authorization")
	case s.AuthenticateUser == nil:
		return refused
	}
	email, name, err := s.AuthenticateUser(ctx, text)
	switch {
	case errors.Is(err, promptrails.ErrUnauthorized):
		return refused
	case err != nil:
		return Unavailable(err)
	}
	if c.User, err = s.knownAs(ctx, email, name); err != nil {
		c.User = nil
		return err
	}
	return s.take(c)
}

// knownAs returns the user with an email address that an identity provider
// confirmed. It creates the user on the first request and follows changes of
// the name.
func (s *Service) knownAs(ctx context.Context, email, name string) (user *promptrails.User, err error) {
	if fault := emailFault(email); fault != "" {
		return nil, Unavailable(errors.New("Config.AuthenticateUser: invalid email: " + fault))
	}
	name = strings.Map(printable, strings.ToValidUTF8(name, ""))
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
			if err = g.CreateUser(user, s.Now()); isExists(err) { // another process was first
				user, err = g.UserByEmail(email)
			}
			return err
		}
		if err != nil {
			return err
		}
		user.Name = name
		return g.RenameUser(user, name)
	})
	return user, err
}

// printable returns a character of a name, or -1 for a control character.
func printable(r rune) rune {
	if unicode.IsControl(r) {
		return -1
	}
	return r
}

// admit authorizes a request: it checks membership, then the role or scope, and
// then returns r.Fault if the request is malformed.
func (s *Service) admit(g *store.Global, r *Request) (*Session, error) {
	x := &Session{service: s, global: g, caller: r.Caller, preconditions: r.Preconditions}
	current := r.Caller.authenticate != nil
	if current {
		if err := r.Caller.authenticate(g); err != nil {
			return nil, err
		}
	}
	switch {
	case r.Caller.Key != nil:
		if err := x.enterWithKey(r, current); err != nil {
			return nil, err
		}
	case r.Workspace != "":
		if err := x.enter(r); err != nil {
			return nil, err
		}
	default:
		x.begin()
	}
	return x, r.Fault
}

// enterWithKey binds the session to the workspace of the calling key. It reads the
// key again if it is not current, that is, read in another transaction.
func (x *Session) enterWithKey(r *Request, current bool) (err error) {
	calling := r.Caller.Key
	x.tx = x.global.Workspace(calling.WorkspaceID)
	if x.key = calling; !current {
		if x.key, err = x.tx.APIKey(calling.ID, time.Time{}); err != nil {
			return orUnknownKey(err)
		}
	}
	x.begin()
	store.SetStatus(x.key, x.now)
	if err := x.judge(r.Caller); err != nil {
		return err
	}
	id := r.Workspace
	if id != "" && r.Need.Workspace == FromPath {
		if id, err = x.global.WorkspaceID(id); err != nil {
			return orNotFound(err, "workspace")
		}
	}
	if id != "" && id != calling.WorkspaceID {
		return notFound("workspace")
	}
	r.Caller.Workspace = calling.WorkspaceID
	x.service.activity.saw(actorID{workspace: calling.WorkspaceID, key: calling.ID}, x.now, ipText(r.Caller.IP))
	switch {
	case r.Need.AnyKey:
		return nil
	case r.Need.Scope == "":
		return refuse(http.StatusForbidden, promptrails.CodeUserTokenRequired, "this route requires an access token; API keys are not accepted")
	case !x.key.Scopes.Covers(r.Need.Scope):
		return insufficientScope(r.Need.Scope, x.key.Scopes)
	default:
		return nil
	}
}

func orUnknownKey(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return UnknownAPIKey()
	}
	return err
}

// enter binds the session to a workspace that the caller is a member of.
func (x *Session) enter(r *Request) (err error) {
	id := r.Workspace
	if r.Need.Workspace == FromPath {
		if id, err = x.global.WorkspaceID(id); err != nil {
			return orNotFound(err, "workspace")
		}
	}
	x.tx = x.global.Workspace(id)
	if x.member, err = x.tx.MemberByUser(x.caller.User.ID); err != nil {
		return orNotFound(err, "workspace")
	}
	x.begin()
	r.Caller.Workspace = id
	x.service.activity.saw(actorID{workspace: id, user: x.caller.User.ID}, x.now, "")
	if !policy.AtLeast(string(x.member.Role), string(r.Need.Role)) {
		return insufficientRole(r.Need.Role, x.member.Role)
	}
	return nil
}
