package promptrails

import (
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
	maxRetryAfter = time.Minute // a server that asks for more is not waited for
)

// backoff returns the pause after that many attempts: full jitter over a range
// that doubles.
func backoff(attempts int) time.Duration {
	limit := longestPause
	if shift := attempts - 1; shift < 5 {
		limit = min(limit, firstPause<<shift)
	}
	return rand.N(limit) //nolint:gosec // jitter is no secret
}

// retryAfter is what a server said about when to come back.
type retryAfter struct {
	given bool
	wait  time.Duration
}

// parseRetryAfter reads both forms of Retry-After (RFC 9110, section 10.2.3).
// What is negative or nonsense counts as not given; a date that is past, as 0.
func parseRetryAfter(header string, now time.Time) retryAfter {
	header = strings.TrimSpace(header)
	if header != "" && strings.Trim(header, "0123456789") == "" {
		seconds, err := strconv.ParseInt(header, 10, 32)
		if err != nil {
			seconds = 1 << 31 // too many to hold: more than anyone waits
		}
		return retryAfter{true, time.Duration(seconds) * time.Second}
	}
	if at, err := http.ParseTime(header); err == nil {
		return retryAfter{true, max(0, at.Sub(now))}
	}
	return retryAfter{}
}

// retryBudget keeps an outage from being multiplied, as the token bucket of
// the AWS SDKs does: each retry takes from it, each success puts a little back,
// and once it is empty a call has one attempt.
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

func (b *retryBudget) succeeded(attempts int) {
	yield := firstTryYield
	if attempts > 1 {
		yield = retryCost
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens = min(budgetSize, b.tokens+yield)
}
