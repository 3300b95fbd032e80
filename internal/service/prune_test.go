package service

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/seal"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Expired outcomes and freed slugs are deleted.
func TestPrune(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := newService(t, func() time.Time { return now })
	plain := store.OutcomeKey{Principal: "p", Workspace: "w", Hash: []byte("plain")}
	secret := store.OutcomeKey{Principal: "p", Workspace: "w", Hash: []byte("secret")}
	err := s.Store.Write(ctx, func(g *store.Global) error {
		return errors.Join(
			g.SaveOutcome(plain, &store.Outcome{Fingerprint: []byte("f"), Status: 200, Body: []byte("b"), CreatedAt: now}),
			g.SaveOutcome(secret, &store.Outcome{Fingerprint: []byte("f"), Status: 200, Body: []byte("b"), Secret: true, CreatedAt: now}),
			g.FreeSlug("slug", now),
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after                    time.Duration
		plain, secretBody, freed bool
	}{
		{10*time.Minute - 1, true, true, true},
		{10 * time.Minute, true, false, true},
		{24*time.Hour - time.Microsecond, true, false, true},
		{24 * time.Hour, false, false, true},
		{30 * 24 * time.Hour, false, false, false},
	} {
		now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(c.after)
		if err := s.Prune(ctx); err != nil {
			t.Fatal(err)
		}
		err := s.Store.Read(ctx, func(g *store.Global) error {
			_, err := g.Outcome(plain)
			if (err == nil) != c.plain {
				t.Errorf("outcome after %s: got %v, want it stored: %t", c.after, err, c.plain)
			}
			o, err := g.Outcome(secret)
			if (err == nil && o.Body != nil) != c.secretBody {
				t.Errorf("body of the secret outcome after %s: got %v, want it stored: %t", c.after, err, c.secretBody)
			}
			freed, err := g.SlugFreedSince("slug", time.Time{})
			if freed != c.freed {
				t.Errorf("SlugFreedSince after %s: got %t, want %t", c.after, freed, c.freed)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// newService returns a service in memory, which is closed at the end of the test.
func newService(t *testing.T, now func() time.Time) *Service {
	t.Helper()
	ring, err := seal.NewRing(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), "", func([]byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(context.WithoutCancel(t.Context()), Config{Store: db, Ring: ring, Now: now, Logger: slog.New(slog.DiscardHandler), DefaultPlan: promptrails.PlanFree})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: got %v, want no error", err)
		}
	})
	return s
}
