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

// Request is one call, as it was read.
type Request struct {
	Caller    *Caller
	Workspace string // as Need.Workspace names it; empty for a call that is in none
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
func (s *Service) asSystem(g *store.Global, workspace string) *Session {
	return &Session{service: s, global: g, tx: g.Workspace(workspace), caller: &Caller{}, now: s.Now().UTC().Truncate(time.Microsecond)}
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
