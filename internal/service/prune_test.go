package service

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
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
	var elapsed atomic.Int64
	s := newService(t, func() time.Time { return now.Add(time.Duration(elapsed.Load())) })
	plain := store.OutcomeKey{Principal: "p", Workspace: "w", Hash: []byte("plain")}
	secret := store.OutcomeKey{Principal: "p", Workspace: "w", Hash: []byte("secret")}
	err := s.Store.Write(ctx, func(g *store.Global) error {
		return errors.Join(
			save(g, plain, &store.Outcome{Status: 200, Body: []byte("b")}, now),
			save(g, secret, &store.Outcome{Status: 200, Body: []byte("b"), Secret: true}, now),
			create(g, "w", now),
			g.Workspace("w").DeleteWorkspace("slug", now),
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
		elapsed.Store(int64(c.after))
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
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Store.Write(ctx, func(g *store.Global) error {
			// Nothing was freed before 1970, so that the slug is in use as long as it is stored.
			err := create(g, "v", time.Time{})
			if (err == nil) == c.freed {
				t.Errorf("CreateWorkspace after %s: got %v, want a free slug: %t", c.after, err, !c.freed)
			}
			return errUndone
		})
		if !errors.Is(err, errUndone) {
			t.Fatal(err)
		}
	}
}

// errUndone rolls a transaction back.
var errUndone = errors.New("undone")

func save(g *store.Global, k store.OutcomeKey, o *store.Outcome, at time.Time) error {
	_, err := g.Reserve(k, []byte("f"), at, time.Time{})
	return errors.Join(err, g.Finish(k, o))
}

// create creates a workspace with the slug "slug".
func create(g *store.Global, id string, freedBefore time.Time) error {
	_, err := g.CreateWorkspace(&promptrails.Workspace{ID: id, Slug: "slug", Plan: "pro"}, "", freedBefore)
	return err
}

// newService returns a service in memory, which is closed at the end of the test.
func newService(t *testing.T, now func() time.Time) *Service {
	t.Helper()
	ring, err := seal.NewRing(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), "", func([]byte) error { return nil }, nil)
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
