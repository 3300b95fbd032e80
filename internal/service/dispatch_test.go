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

// Deliveries are kept for 30 days. A channel whose deliveries are gone is
// looked at no more.
func TestPruneDeliveries(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var after atomic.Int64
	s := newService(t, func() time.Time { return now.Add(time.Duration(after.Load())) })
	err := s.Store.Write(t.Context(), func(g *store.Global) error {
		if err := g.CreateUser(&promptrails.User{ID: "u", Email: "ada@example.com"}, now); err != nil {
			return err
		}
		tx, err := g.CreateWorkspace(&promptrails.Workspace{ID: "w", Slug: "w", Plan: "pro", OwnerID: "u", Version: 1, CreatedAt: now, UpdatedAt: now}, changelog.Genesis("w"))
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
	left := func() (deliveries, channels int) {
		err := s.Store.Read(t.Context(), func(g *store.Global) error {
			page, err := g.Workspace("w").Deliveries("c", "", store.Paging{Limit: 10})
			if err != nil {
				return err
			}
			due, err := g.DueChannels(nil, 10)
			deliveries, channels = len(page), len(due)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return deliveries, channels
	}
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{30*24*time.Hour - time.Microsecond, 2}, {30 * 24 * time.Hour, 1}, {30*24*time.Hour + time.Hour, 0}} {
		after.Store(int64(c.after))
		if err := s.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n, _ := left(); n != c.want {
			t.Errorf("after %s %d deliveries are left, want %d", c.after, n, c.want)
		}
	}
	after.Store(int64(32 * 24 * time.Hour))
	s.dispatcher.wake()
	for _, channels := left(); channels > 0; _, channels = left() {
		runtime.Gosched()
	}
}
