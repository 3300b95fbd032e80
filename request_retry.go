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
	maxRetryAfter = time.Minute // a longer wait is returned as an error
	minJitter     = 100 * time.Millisecond
	maxJitter     = 5 * time.Second
)

// backoff returns the pause after a number of attempts: a random part of a range
// that doubles.
func backoff(attempts int) time.Duration {
	limit := longestPause
	if shift := attempts - 1; shift < 5 {
		limit = min(limit, firstPause<<shift)
	}
	return rand.N(limit) //nolint:gosec // not a secret
}

// jitter returns a random addition to a Retry-After, which spreads the callers that
// received the same one.
func jitter(wait time.Duration) time.Duration {
	return rand.N(min(max(wait/4, minJitter), maxJitter)) //nolint:gosec // not a secret
}

// retryAfter is the Retry-After of a response.
type retryAfter struct {
	given bool
	wait  time.Duration
}

// parseRetryAfter reads both forms of Retry-After (RFC 9110, section 10.2.3). A
// date is relative to the response's own Date, if it has one. A fraction of a
// second is rounded up. A negative or malformed value is ignored, and a date
// in the past is 0.
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
		seconds = math.MaxInt32 // longer than any accepted wait
	}
	if strings.Trim(fraction, "0") != "" {
		seconds++
	}
	return retryAfter{true, time.Duration(seconds) * time.Second}
}

// retryBudget is a token bucket that keeps retries from multiplying an outage, like
// that of the AWS SDKs. Each retry takes tokens, each response that is not a server
// failure returns some, and calls are not retried while it is empty.
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

func (b *retryBudget) refill(attempts int) {
	yield := firstTryYield
	if attempts > 1 {
		yield = retryCost
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(budgetSize, b.tokens+yield)
}
