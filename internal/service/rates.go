package service

import (
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Rate limits the requests of each API key and of each user.
type Rate struct {
	PerSecond float64 // 0: no limit
	Burst     int     // requests at the same time
}

// rates holds the limiters of the callers with the latest requests.
type rates struct {
	rate     Rate
	limiters *lru.Cache[string, *rate.Limiter] // by principal
}

// maxRated is the maximum number of limiters. A caller without one gets a new burst.
const maxRated = 10_000

// newRates returns nil if there is no limit.
func newRates(r Rate) (*rates, error) {
	if r.PerSecond <= 0 {
		return nil, nil //nolint:nilnil // no limit, no error
	}
	limiters, err := lru.New[string, *rate.Limiter](maxRated)
	return &rates{r, limiters}, err
}

// Quota is the state of a caller's limit after a request.
type Quota struct {
	Limit     int           // requests at the same time
	Remaining int           // requests until the limit is reached
	Reset     time.Duration // until Remaining is Limit
	refusal   error         // of the request
}

// take counts a request of a caller, at the first call. It returns an error if the
// caller has no requests left.
func (s *Service) take(c *Caller) error {
	if s.rates == nil {
		return nil
	}
	if c.Quota == nil {
		c.Quota = s.rates.take(c.principal(), s.Now())
	}
	return c.Quota.refusal
}

func (r *rates) take(principal string, now time.Time) *Quota {
	limiter := rate.NewLimiter(rate.Limit(r.rate.PerSecond), r.rate.Burst)
	if known, ok, _ := r.limiters.PeekOrAdd(principal, limiter); ok {
		limiter = known
		r.limiters.Get(principal) // it is used
	}
	q := &Quota{Limit: r.rate.Burst}
	if !limiter.AllowN(now, 1) {
		refusal := refuse(http.StatusTooManyRequests, promptrails.CodeRateLimited, "too many requests; wait for the time in Retry-After")
		refusal.RetryAfter, refusal.Limit = r.after(1-limiter.TokensAt(now)), limitRate
		q.refusal = refusal
	}
	left := max(0, limiter.TokensAt(now))
	q.Remaining, q.Reset = int(left), r.after(float64(r.rate.Burst)-left)
	return q
}

// after returns the time in which a number of requests becomes available.
func (r *rates) after(requests float64) time.Duration {
	return time.Duration(min(requests/r.rate.PerSecond, maxAfter.Seconds()) * float64(time.Second))
}

// maxAfter bounds the times in responses.
const maxAfter = 24 * time.Hour
