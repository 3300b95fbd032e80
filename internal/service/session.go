package service

import (
	"context"
	"errors"
	"net/netip"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Request is one parsed call.
type Request struct {
	Caller    *Caller
	Workspace string // an id, or a slug if Need.Workspace is FromPath; empty without a workspace
	Need      Need
	Fault     error // the first validation error; returned after authorization
	Once      *Once // nil without an idempotency key
	// Preconditions are evaluated for the object of the call.
	Preconditions Preconditions
}

// Session is an authorized call in its transaction.
type Session struct {
	service  *Service
	global   *store.Global
	tx       *store.Tx // nil for a user's call without a workspace
	caller   *Caller
	member   *promptrails.Member // the caller's membership; nil if tx is nil, and for a key
	key      *promptrails.APIKey // the calling key; nil for a user
	now      time.Time
	notified bool // wake the dispatcher after the commit
	// matched reports whether preconditions were evaluated for an object.
	preconditions Preconditions
	matched       bool
	// endsRight is set by calls that remove the caller's own permission, such
	// as leaving a workspace. A retry with the same idempotency key then
	// returns the stored response without authorization.
	endsRight bool
}

// Read authorizes a request and runs fn in a read-only transaction.
func (s *Service) Read(ctx context.Context, r *Request, fn func(*Session) error) error {
	return s.Store.Read(ctx, func(g *store.Global) error {
		x, err := s.admit(g, r)
		if err != nil {
			return err
		}
		return fn(x)
	})
}

// asSystem returns a session in a workspace with the service as the actor.
func (s *Service) asSystem(g *store.Global, workspace string) *Session {
	x := &Session{service: s, global: g, tx: g.Workspace(workspace), caller: &Caller{}}
	x.begin()
	return x
}

// begin sets the time of the session. In a workspace, it is called after the first
// statement, which waits for earlier writers, so that times do not go back.
func (x *Session) begin() { x.now = x.service.Now().UTC().Truncate(time.Microsecond) }

// workspaceID returns the id of the session's workspace.
func (x *Session) workspaceID() string {
	if x.key != nil {
		return x.key.WorkspaceID
	}
	return x.member.WorkspaceID
}

// role returns the caller's role. A key with the required scope has the rights
// of an admin.
func (x *Session) role() promptrails.Role {
	if x.key != nil {
		return promptrails.RoleAdmin
	}
	return x.member.Role
}

// isSelf reports whether a member is the calling user.
func (x *Session) isSelf(memberID string) bool { return x.member != nil && x.member.ID == memberID }

// userID returns the id of the calling user, or of the creator of the calling
// key.
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

// newID returns an identifier for the time of the session.
func (x *Session) newID() string { return x.service.ids.next(x.now) }

// record appends a changelog entry for one object. It does nothing if before
// and after are equal.
func (x *Session) record(tx *store.Tx, action promptrails.ChangelogAction, resource changelog.Ref, before, after map[string]any) error {
	changes, err := changelog.Diff(before, after)
	if err != nil {
		return err
	}
	return x.append(tx, action, resource, changes)
}

// append appends a changelog entry unless changes is nil.
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

// isExists reports whether err means that the row already exists.
func isExists(err error) bool { return errors.Is(err, store.ErrExists) }
