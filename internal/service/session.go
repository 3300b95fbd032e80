package service

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Caller is who makes a call, and from where: a person or a key.
type Caller struct {
	User      *promptrails.User // nil for a key
	Key       *CallingKey       // nil for a person
	IP        netip.Addr
	Origins   []string // the Origin headers
	UserAgent string
	RequestID string
}

// principal names the caller among all that can have outcomes.
func (c *Caller) principal() string {
	if c.Key != nil {
		return "api_key:" + c.Key.ID
	}
	return "user:" + c.User.ID
}

// CallingKey is a key that was found by its hash.
type CallingKey struct{ ID, WorkspaceID string }

// Need is what a call takes.
type Need struct {
	Scope  promptrails.Scope // of a key; empty: closed to keys
	AnyKey bool              // any key will do
	Role   promptrails.Role  // the least one of a person
	Place  Place
}

// Place is where a call names the workspace that it is in.
type Place int

// The places that name a workspace.
const (
	ByHeader Place = iota // an id, in X-Workspace-ID
	ByPath                // an id or slug, in the path
	Nowhere               // the call is in no workspace
)

// Request is one call, as it was read.
type Request struct {
	Caller    *Caller
	Workspace string // as Need.Place names it; empty for a call that is in none
	Need      Need
	Fault     error // what is wrong with the form; told once the caller's right is judged
	Once      *Once // nil without an idempotency key
	// Preconditions are judged against the object that the call is about.
	Preconditions Preconditions
}

// Session is a call that was let in, inside its transaction.
type Session struct {
	service  *Service
	global   *store.Global
	tx       *store.Tx // nil for a person's call that is in no workspace
	caller   *Caller
	member   *promptrails.Member // the caller's membership; nil where tx is, and for a key
	key      *promptrails.APIKey // the key that calls; nil for a person
	now      time.Time
	notified bool // something is to be sent once the transaction is committed
	// preconditions were held against an object if matched is set.
	preconditions Preconditions
	matched       bool
	// endsRight is set by what takes away the caller's right to repeat it: its
	// outcome is repeated to the same caller all the same.
	endsRight bool
}

// Read runs fn in a snapshot, once the request is judged.
func (s *Service) Read(ctx context.Context, r *Request, fn func(*Session) error) error {
	return s.Store.Read(ctx, func(g *store.Global) error {
		x, err := s.admit(g, r)
		if err != nil {
			return err
		}
		return fn(x)
	})
}

// asSystem is a session of the service itself, in a workspace.
func (s *Service) asSystem(g *store.Global, workspace string) (*Session, error) {
	tx, err := g.Workspace(workspace)
	return &Session{service: s, global: g, tx: tx, caller: &Caller{}, now: s.Now().UTC().Truncate(time.Microsecond)}, err
}

// admit judges a request: membership, then role, then form.
func (s *Service) admit(g *store.Global, r *Request) (*Session, error) {
	x := &Session{service: s, global: g, caller: r.Caller, preconditions: r.Preconditions, now: s.Now().UTC().Truncate(time.Microsecond)}
	switch {
	case r.Caller.Key != nil:
		if err := x.enterWithKey(r); err != nil {
			return nil, err
		}
	case r.Workspace != "":
		if err := x.enter(r); err != nil {
			return nil, err
		}
	}
	return x, r.Fault
}

// enterWithKey binds the session to the workspace of the key that calls, and
// judges the key in the transaction of what it does.
func (x *Session) enterWithKey(r *Request) (err error) {
	calling := r.Caller.Key
	if x.tx, err = x.global.Workspace(calling.WorkspaceID); err != nil {
		return orUnknownKey(err)
	}
	if x.key, err = x.tx.APIKey(calling.ID, x.now); err != nil {
		return orUnknownKey(err)
	}
	if err := x.judge(r.Caller); err != nil {
		return err
	}
	id := r.Workspace
	if id != "" && r.Need.Place == ByPath {
		if id, err = x.global.WorkspaceID(id); err != nil {
			return missing(err, "workspace")
		}
	}
	if id != "" && id != calling.WorkspaceID {
		return notFound("workspace")
	}
	x.service.activity.saw(seat{workspace: calling.WorkspaceID, key: calling.ID}, x.now, ipText(r.Caller.IP))
	switch {
	case r.Need.AnyKey:
		return nil
	case r.Need.Scope == "":
		return refuse(http.StatusForbidden, promptrails.CodeUserTokenRequired, "this takes a person's access token; no API key will do")
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
	if r.Need.Place == ByPath {
		if id, err = x.global.WorkspaceID(id); err != nil {
			return missing(err, "workspace")
		}
	}
	if x.tx, err = x.global.Workspace(id); err != nil {
		return missing(err, "workspace")
	}
	if x.member, err = x.tx.MemberByUser(x.caller.User.ID); err != nil {
		return missing(err, "workspace")
	}
	x.service.activity.saw(seat{workspace: id, user: x.caller.User.ID}, x.now, "")
	if !policy.AtLeast(string(x.member.Role), string(r.Need.Role)) {
		return insufficientRole(r.Need.Role, x.member.Role)
	}
	return nil
}

// workspaceID returns the id of the workspace that the session is in.
func (x *Session) workspaceID() string {
	if x.key != nil {
		return x.key.WorkspaceID
	}
	return x.member.WorkspaceID
}

// role is the caller's; a key that may do a thing at all ranks as an admin.
func (x *Session) role() promptrails.Role {
	if x.key != nil {
		return promptrails.RoleAdmin
	}
	return x.member.Role
}

// isSelf reports whether a member is the calling person.
func (x *Session) isSelf(memberID string) bool { return x.member != nil && x.member.ID == memberID }

// userID is the calling person's, or of whoever made the key that calls.
func (x *Session) userID() string {
	if x.key != nil {
		return x.key.CreatedBy
	}
	return x.caller.User.ID
}

func (x *Session) actor() changelog.Ref {
	if x.caller.User == nil && x.key == nil {
		return changelog.Ref{Type: string(promptrails.ActorSystem), Name: "system"}
	}
	if x.key != nil {
		return changelog.Ref{Type: string(promptrails.ActorAPIKey), ID: x.key.ID, Name: x.key.Name}
	}
	return changelog.Ref{Type: string(promptrails.ActorUser), ID: x.caller.User.ID, Name: x.caller.User.Name}
}

// newID returns an identifier of the moment of the session.
func (x *Session) newID() string { return x.service.ids.next(x.now) }

// record writes the changelog entry of one object. Nothing that differs, no
// entry.
func (x *Session) record(tx *store.Tx, action promptrails.ChangelogAction, resource changelog.Ref, before, after map[string]any) error {
	changes, err := changelog.Diff(before, after)
	if err != nil {
		return err
	}
	return x.append(tx, action, resource, changes)
}

// append is record for changes that are known.
func (x *Session) append(tx *store.Tx, action promptrails.ChangelogAction, resource changelog.Ref, changes changelog.Changes) error {
	if changes == nil {
		return nil
	}
	return tx.Append(&changelog.Entry{
		ID:         x.newID(),
		Action:     string(action),
		Resource:   resource,
		Actor:      x.actor(),
		Changes:    changes,
		IP:         ipText(x.caller.IP),
		UserAgent:  x.caller.UserAgent,
		RequestID:  x.caller.RequestID,
		OccurredAt: x.now,
	})
}

func ipText(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

// isExists reports whether a row was there already.
func isExists(err error) bool { return errors.Is(err, store.ErrExists) }
