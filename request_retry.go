package promptrails

import (
	"cmp"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The pauses between attempts.
const (
	firstPause    = 250 * time.Millisecond
	longestPause  = 8 * time.Second
	maxRetryAfter = time.Minute // a call with a longer Retry-After is not retried
	minJitter     = 100 * time.Millisecond
	maxJitter     = 5 * time.Second
)

// backoff returns the pause after the given number of attempts: exponential
// backoff with full jitter.
func backoff(attempts int) time.Duration {
	limit := longestPause
	if shift := attempts - 1; shift < 5 {
		limit = min(limit, firstPause<<shift)
	}
	return rand.N(limit) //nolint:gosec // jitter is not secret
}

// jitter returns a random duration to add to a Retry-After, so that clients
// with the same Retry-After do not retry at the same time.
func jitter(wait time.Duration) time.Duration {
	return rand.N(min(max(wait/4, minJitter), maxJitter)) //nolint:gosec // jitter is not secret
}

// retryAfter is the value of a Retry-After header.
type retryAfter struct {
	given bool
	wait  time.Duration
}

// parseRetryAfter parses both forms of Retry-After (RFC 9110, section 10.2.3).
// A date is relative to the Date of the response, or to now without one. A date
// in the past is 0. A fraction of a second is rounded up. Negative or malformed
// values are ignored.
func parseRetryAfter(h http.Header, now time.Time) retryAfter {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if at, err := http.ParseTime(text); err == nil {
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			now = date
		}
		return retryAfter{true, max(0, at.Sub(now))}
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return retryAfter{}
	}
	seconds, err := strconv.ParseInt(cmp.Or(whole, "0"), 10, 32)
	if err != nil {
		seconds = math.MaxInt32 // out of range, and longer than maxRetryAfter
	}
	if strings.Trim(fraction, "0") != "" {
		seconds++
	}
	return retryAfter{true, time.Duration(seconds) * time.Second}
}

// retryBudget limits retries during an outage, like the token bucket of the AWS
// SDKs. Each retry removes tokens, and each response that is not a server
// failure adds some. When the budget is empty, calls are not retried.
type retryBudget struct {
	mu     sync.Mutex
	tokens int
}

const (
	budgetSize    = 500
	retryCost     = 5
	firstTryYield = 1
)

func newRetryBudget() *retryBudget { return &retryBudget{tokens: budgetSize} }

func (b *retryBudget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens < retryCost {
		return false
	}
	b.tokens -= retryCost
	return true
}

// left returns the number of retries that the budget allows.
func (b *retryBudget) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens / retryCost
}

func (b *retryBudget) refill(attempts int) {
	yield := firstTryYield
	if attempts > 1 {
		yield = retryCost
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(budgetSize, b.tokens+yield)
}
