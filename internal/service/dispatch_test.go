package service

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Deliveries are deleted after 30 days. A channel without deliveries is no longer
// due.
func TestPruneDeliveries(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var elapsed atomic.Int64
	s := newService(t, func() time.Time { return now.Add(time.Duration(elapsed.Load())) })
	err := s.Store.Write(t.Context(), func(g *store.Global) error {
		if err := g.CreateUser(&promptrails.User{ID: "u", Email: "ada@example.com"}, now); err != nil {
			return err
		}
		tx, err := g.CreateWorkspace(&promptrails.Workspace{ID: "w", Slug: "w", Plan: "pro", OwnerID: "u", Version: 1, CreatedAt: now, UpdatedAt: now}, changelog.Genesis("w"), time.Time{})
		if err != nil {
			return err
		}
		c := &store.Channel{SealedURL: []byte("x"), Channel: promptrails.Channel{ID: "c", Type: "webhook", IsActive: true, Version: 1, CreatedAt: now, UpdatedAt: now}}
		if err := tx.CreateChannel(c); err != nil {
			return err
		}
		for id, due := range map[string]time.Duration{"d": 0, "later": time.Hour} {
			d := &store.Delivery{Delivery: promptrails.Delivery{ID: id, ChannelID: "c", WebhookID: id, Event: "channel.test", Status: "pending", CreatedAt: now.Add(due), NextAttemptAt: now.Add(31 * 24 * time.Hour)}}
			if err := tx.CreateDelivery(d); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	count := func() (deliveries, dueChannels int) {
		err := s.Store.Read(t.Context(), func(g *store.Global) error {
			page, err := g.Workspace("w").Deliveries("c", "", store.Paging{Limit: 10})
			if err != nil {
				return err
			}
			due, err := g.DueChannels(now, nil, 10)
			deliveries, dueChannels = len(page), len(due)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return deliveries, dueChannels
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{30*24*time.Hour - time.Microsecond, 2}, {30 * 24 * time.Hour, 1}, {30*24*time.Hour + time.Hour, 0}} {
		elapsed.Store(int64(c.after))
		if err := s.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, _ := count(); n != c.want {
			t.Errorf("deliveries after %s: got %d, want %d", c.after, n, c.want)
		}
	}
	elapsed.Store(int64(32 * 24 * time.Hour))
	s.dispatcher.wake()
	for _, due := count(); due > 0; _, due = count() {
		runtime.Gosched()
	}
}
