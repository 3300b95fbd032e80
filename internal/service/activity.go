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

type seat struct{ workspace, user string }

func (a *activity) saw(workspace, user string, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[seat]time.Time{}
	}
	a.seen[seat{workspace, user}] = now.Truncate(time.Minute)
}

// overlay puts what is not stored yet on a member.
func (a *activity) overlay(m *promptrails.Member) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at := a.seen[seat{m.WorkspaceID, m.UserID}]; at.After(m.LastActiveAt) {
		m.LastActiveAt = at
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
		rows = append(rows, store.Activity{Workspace: who.workspace, UserID: who.user, At: at})
	}
	return s.Store.Write(ctx, func(g *store.Global) error { return g.Touch(rows) })
}
