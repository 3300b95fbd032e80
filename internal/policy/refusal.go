package policy

import (
	"fmt"
	"time"
)

// Refusal is an error response of the API: the reason why a request is refused.
type Refusal struct {
	Status     int
	Code       string
	Message    string
	Details    map[string]any
	RetryAfter time.Duration // 0: no Retry-After header
	Cause      error         // logged, not sent
	Limit      string        // the name of the limit that was reached, for metrics; not sent
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%d %s: %s", r.Status, r.Code, r.Message)
}

// Unwrap returns the cause, which is not part of the response.
func (r *Refusal) Unwrap() error { return r.Cause }

// With returns a copy of the refusal with details.
func (r *Refusal) With(details map[string]any) *Refusal {
	detailed := *r
	detailed.Details = details
	return &detailed
}
