package service

import (
	"context"
	"sync"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// activity is when members were last seen, to the minute, since it was last
// stored: once a minute, and not with every request.
type activity struct {
	mu   sync.Mutex
	seen map[seat]time.Time
}

// seat is a member or a key of a workspace.
type seat struct{ workspace, user, key string }

func (a *activity) saw(who seat, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[seat]time.Time{}
	}
	a.seen[who] = now.Truncate(time.Minute)
}

// overlay puts what is not stored yet on a member.
func (a *activity) overlay(m *promptrails.Member) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at := a.seen[seat{workspace: m.WorkspaceID, user: m.UserID}]; at.After(m.LastActiveAt) {
		m.LastActiveAt = at
	}
}

// overlayKey is overlay for a key.
func (a *activity) overlayKey(k *promptrails.APIKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at := a.seen[seat{workspace: k.WorkspaceID, key: k.ID}]; at.After(k.LastUsedAt) {
		k.LastUsedAt = at
	}
}

func (s *Service) flushActivity(ctx context.Context) error {
	s.activity.mu.Lock()
	seen := s.activity.seen
	s.activity.seen = nil
	s.activity.mu.Unlock()
	if len(seen) == 0 {
		return nil
	}
	rows := make([]store.Activity, 0, len(seen))
	for who, at := range seen {
		rows = append(rows, store.Activity{Workspace: who.workspace, UserID: who.user, KeyID: who.key, At: at})
	}
	return s.Store.Write(ctx, func(g *store.Global) error { return g.Touch(rows) })
}
