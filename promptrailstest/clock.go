package promptrailstest

import (
	"math"
	"sync"
	"testing"
	"time"
)

// Clock is the clock of a service. It runs, and [Clock.Advance] moves it forward.
// It does not affect the program under test, which has the real time. It is safe
// for concurrent use.
type Clock struct {
	t    testing.TB
	base func() time.Time

	mu    sync.Mutex
	ahead time.Duration // of base
}

func newClock(t testing.TB, base func() time.Time) *Clock {
	t.Helper()
	if base == nil {
		base = time.Now
	}
	return &Clock{t: t, base: base}
}

// Now returns the time of the service.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	ahead := c.ahead
	c.mu.Unlock()
	return c.base().Add(ahead)
}

// Advance moves the clock forward by d. Keys, invitations and tokens expire with
// the next request. A webhook that becomes due is sent within a second of real time,
// signed with the new time: see [promptrails.WebhookVerifier] for a receiver with
// this clock. A negative d, and one with which the clock would be more than 292 years
// ahead, fails the test and has no effect.
func (c *Clock) Advance(d time.Duration) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if d < 0 || d > math.MaxInt64-c.ahead {
		c.t.Errorf("Clock.Advance: got %s, want 0 to %s", d, math.MaxInt64-c.ahead)
		return
	}
	c.ahead += d
}
