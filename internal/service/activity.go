package service

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// activity records when members and keys were last seen, to the minute. It is
// stored once a minute, so that requests do not write to the database.
type activity struct {
	mu   sync.Mutex
	seen map[actorID]lastSeen
}

// actorID identifies a member or a key of a workspace.
type actorID struct{ workspace, user, key string }

// lastSeen is the time and the IP address of the latest request.
type lastSeen struct {
	at time.Time
	ip string
}

func (a *activity) saw(who actorID, now time.Time, ip string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.seen == nil {
		a.seen = map[actorID]lastSeen{}
	}
	a.seen[who] = lastSeen{now.Truncate(time.Minute), ip}
}

// overlay updates a member with activity that is not stored yet.
func (a *activity) overlay(m *promptrails.Member) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := a.seen[actorID{workspace: m.WorkspaceID, user: m.UserID}]; last.at.After(m.LastActiveAt) {
		m.LastActiveAt = last.at
	}
}

// overlayKey updates a key with activity that is not stored yet.
func (a *activity) overlayKey(k *promptrails.APIKey) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last, ok := a.seen[actorID{workspace: k.WorkspaceID, key: k.ID}]; ok && !last.at.Before(k.LastUsedAt) {
		k.LastUsedAt, k.LastUsedIP = last.at, last.ip
	}
}

// FlushActivity stores when members and keys were last seen.
func (s *Service) FlushActivity(ctx context.Context) error {
	s.activity.mu.Lock()
	seen := s.activity.seen
	s.activity.seen = nil
	s.activity.mu.Unlock()
	if len(seen) == 0 {
		return nil
	}
	rows := make([]store.Activity, 0, len(seen))
	for who, last := range seen {
		rows = append(rows, store.Activity{Workspace: who.workspace, UserID: who.user, KeyID: who.key, At: last.at, IP: last.ip})
	}
	slices.SortFunc(rows, func(a, b store.Activity) int {
		return cmp.Or(cmp.Compare(a.Workspace, b.Workspace), cmp.Compare(a.UserID, b.UserID), cmp.Compare(a.KeyID, b.KeyID))
	})
	var writers errgroup.Group
	writers.SetLimit(flushWriters)
	for len(rows) > 0 {
		n := slices.IndexFunc(rows, func(a store.Activity) bool { return a.Workspace != rows[0].Workspace })
		if n < 0 {
			n = len(rows)
		}
		some := rows[:n]
		rows = rows[n:]
		writers.Go(func() error { return s.Store.Write(ctx, func(g *store.Global) error { return g.Touch(some) }) })
	}
	return writers.Wait()
}

// flushWriters is the number of workspaces that FlushActivity writes to concurrently.
const flushWriters = 8
