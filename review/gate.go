package review

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Bounds of the pauses that a server can demand, in addition to those of the
// client.
const (
	maxPauses = 5 // of one section
	minPause  = time.Second
	maxPause  = 10 * time.Minute
)

// gate limits the number of concurrent requests. While the server limits the
// rate, it makes no request.
type gate struct {
	places *semaphore.Weighted

	mu    sync.Mutex
	until time.Time // no requests before
}

func newGate(n int) *gate { return &gate{places: semaphore.NewWeighted(int64(n))} }

// do calls f, which makes one request at a time. If the server limits the rate,
// it calls f again after a pause.
func (g *gate) do(ctx context.Context, f func() error) error {
	for pauses := 0; ; pauses++ {
		err := g.once(ctx, f)
		limited, ok := errors.AsType[*promptrails.RateLimitError](err)
		if !ok || pauses == maxPauses || limited.RetryAfter > maxPause {
			return err
		}
		g.hold(max(limited.RetryAfter, minPause))
	}
}

// once calls f when there is a place and no pause.
func (g *gate) once(ctx context.Context, f func() error) error {
	if err := g.places.Acquire(ctx, 1); err != nil {
		return err
	}
	defer g.places.Release(1)
	for wait := g.wait(); wait > 0; wait = g.wait() {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
	return f()
}

func (g *gate) wait() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Until(g.until)
}

// hold pauses all requests.
func (g *gate) hold(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(d); until.After(g.until) {
		g.until = until
	}
}
