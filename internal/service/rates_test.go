package service

import (
	"fmt"
	"testing"
	"time"
)

// Only the latest limiters are kept, and a caller that is active keeps its own.
func TestRatesAreBounded(t *testing.T) {
	t.Parallel()
	r, err := newRates(Rate{PerSecond: 1, Burst: 2})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(0, 0)
	for i := range 2 * maxRated {
		r.take(fmt.Sprint("user:", i), now)
		if q := r.take("user:active", now); (q.refusal != nil) != (i >= 2) {
			t.Fatalf("request %d of the active caller: got %+v, want a refusal of all but 2", i+1, q)
		}
	}
	if n := r.limiters.Len(); n != maxRated {
		t.Errorf("after %d callers: got %d limiters, want %d", 2*maxRated, n, maxRated)
	}
	if q := r.take("user:0", now); q.refusal != nil || q.Remaining != 1 {
		t.Errorf("caller that is not: got %+v, want a new burst", q)
	}
	slow, err := newRates(Rate{PerSecond: 1e-9, Burst: 1})
	if err != nil {
		t.Fatal(err)
	}
	if q := slow.take("user:0", now); q.Reset != maxAfter {
		t.Errorf("slow rate: got the reset after %s, want %s at most", q.Reset, maxAfter)
	}
}
