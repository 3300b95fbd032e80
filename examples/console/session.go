package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/hashicorp/golang-lru/v2/expirable"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The values of a session. They are in the memory of this process; the cookie has only a
// random id.
const (
	sessionToken  = "token"      // the access token or API key
	sessionName   = "name"       // of the person or key
	sessionEmail  = "email"      // of the person
	sessionSample = "sample"     // logged in by a link; may switch between the sample people
	cookieName    = "console_id" // not session, which is the default of other programs on this host
)

// newSessions returns the sessions. Only a login and a logout write to one: a page that
// writes could store the session again that a logout has removed meanwhile. For the same
// reason, there is no timeout by inactivity.
func newSessions(https bool) *scs.SessionManager {
	sessions := scs.New()
	sessions.Lifetime = 8 * time.Hour
	sessions.HashTokenInStore = true
	sessions.Cookie.Name, sessions.Cookie.Persist, sessions.Cookie.Secure = cookieName, false, https
	if https {
		sessions.Cookie.Name = "__Host-" + cookieName // no other host can set it
	}
	sessions.Cookie.HttpOnly, sessions.Cookie.SameSite = true, http.SameSiteLaxMode
	return sessions
}

// notes are values of sessions that pages write, by the session and a name. The oldest are
// dropped.
type notes[T any] struct {
	sessions *scs.SessionManager
	values   *expirable.LRU[string, T]
}

func newNotes[T any](sessions *scs.SessionManager, limit int, ttl time.Duration) notes[T] {
	return notes[T]{sessions, expirable.NewLRU[string, T](limit, nil, ttl)}
}

func (n notes[T]) key(ctx context.Context, name string) string {
	return n.sessions.Token(ctx) + " " + name
}

func (n notes[T]) put(ctx context.Context, name string, value T) {
	n.values.Add(n.key(ctx, name), value)
}

// get returns a value, or nil.
func (n notes[T]) get(ctx context.Context, name string) *T {
	if value, ok := n.values.Get(n.key(ctx, name)); ok {
		return &value
	}
	return nil
}

// take returns and removes a value. Of several that take it at the same time, one gets it.
func (n notes[T]) take(ctx context.Context, name string) *T {
	if value := n.get(ctx, name); value != nil && n.values.Remove(n.key(ctx, name)) {
		return value
	}
	return nil
}

// flash is the message about a change, on the page that is shown after it. A secret, such
// as a new API key, is shown one time and is in no URL.
type flash struct {
	Message     string
	SecretLabel string
	Secret      string
	Bad         bool // reports a problem
}

// client returns a client of the person who has logged in, or false. Each request has a
// client of its own, so that the tokens of two people never meet.
func (c *console) client(ctx context.Context) (*promptrails.Client, bool) {
	token := c.sessions.GetString(ctx, sessionToken)
	if token == "" {
		return nil, false
	}
	client, err := c.connect(authentication(token))
	return client, err == nil
}

// authentication returns the option for an access token or an API key, which begins with
// pr_.
func authentication(token string) promptrails.Option {
	if isAPIKey(token) {
		return promptrails.WithAPIKey(token)
	}
	return promptrails.WithAccessToken(token)
}

func isAPIKey(token string) bool { return strings.HasPrefix(token, "pr_") }

// logIn begins a session with a token that the API accepts. The session has a new id, so
// that an id from before the login cannot be used.
func (c *console) logIn(ctx context.Context, token string, sample bool) error {
	client, err := c.connect(authentication(token))
	if err != nil {
		return err
	}
	name, email, err := whoIs(ctx, client, token)
	if err != nil {
		return err
	}
	if err := c.sessions.Clear(ctx); err != nil {
		return err
	}
	if err := c.sessions.RenewToken(ctx); err != nil {
		return err
	}
	c.sessions.Put(ctx, sessionToken, token)
	c.sessions.Put(ctx, sessionName, name)
	c.sessions.Put(ctx, sessionEmail, email)
	c.sessions.Put(ctx, sessionSample, sample)
	return nil
}

func whoIs(ctx context.Context, client *promptrails.Client, token string) (name, email string, err error) {
	if isAPIKey(token) {
		key, err := client.APIKeys.Current(ctx)
		if err != nil {
			return "", "", err
		}
		return "API key " + key.Name, "", nil
	}
	me, err := client.Me(ctx)
	if err != nil {
		return "", "", err
	}
	return me.Name, me.Email, nil
}

// loginLinks has one link at a time that logs in without a token. When it is used, the next
// one is announced. The zero value has no link.
type loginLinks struct {
	announce func(path string)

	mu   sync.Mutex
	hash [sha256.Size]byte // of the secret
}

const loginPath = "/login/"

// renew replaces the link.
func (l *loginLinks) renew() {
	l.mu.Lock()
	secret := l.replace()
	l.mu.Unlock()
	l.announce(loginPath + secret)
}

// replace replaces the secret. The caller holds mu.
func (l *loginLinks) replace() (secret string) {
	secret = rand.Text()
	l.hash = sha256.Sum256([]byte(secret))
	return secret
}

// valid reports whether a link can be used.
func (l *loginLinks) valid(secret string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.equal(secret)
}

func (l *loginLinks) equal(secret string) bool {
	hash := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(l.hash[:], hash[:]) == 1
}

// use reports whether a link could be used, and replaces it.
func (l *loginLinks) use(secret string) bool {
	l.mu.Lock()
	ok, next := l.equal(secret), ""
	if ok {
		next = l.replace()
	}
	l.mu.Unlock()
	if ok {
		l.announce(loginPath + next)
	}
	return ok
}
