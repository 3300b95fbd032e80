package embedded

import (
	"cmp"
	"errors"
	"math"
	"time"
)

// Limits bounds the work and the memory of a service. The limits are those of one
// process. A field that is 0 has its default; a negative one removes the limit.
//
// A request beyond a limit returns 503 unavailable, or 429 rate_limited for Rate, each
// with Retry-After. It has changed nothing. The client of this module repeats such
// requests.
type Limits struct {
	// Requests is the maximum number of requests that run at the same time. The default
	// is 8192. /healthz and /readyz are not counted.
	Requests int
	// Writers is the maximum number of changes that wait for the database at the same
	// time. The default is 4096. A change waits for at most 10 seconds. In a database in
	// memory, reads wait as well.
	Writers int
	// ResponseBytes is the maximum total size, in bytes, of the bodies of responses that
	// are in memory until their clients have received them. The default is 32 MiB. A body
	// of at most 64 KiB is not counted. A request whose response does not fit waits, until
	// RequestTime; a change is refused before it is committed. The body of one list has
	// about 4 MiB at most: a page with larger items has fewer of them, and a cursor.
	ResponseBytes int64
	// RequestTime is the maximum time from the header of a request until its response
	// begins. The default is 30 seconds. Then no further statement starts in the
	// database. A change that has started is completed, and its response is sent.
	RequestTime time.Duration

	// Rate is the number of requests per second of each API key and each user, and Burst
	// the number that can come at the same time; the default of Burst is Rate, rounded
	// up. The default of Rate is no limit, like a service that has not been configured:
	// the other limits bound the work of all callers together. With a limit, each
	// response to an authenticated caller has X-RateLimit-Limit (Burst),
	// X-RateLimit-Remaining, and X-RateLimit-Reset (the seconds until Remaining is Burst).
	// Several processes do not share their counts. The requests of [Service.Client] are
	// counted. Of the counts, the latest 10,000 are kept.
	Rate  float64
	Burst int
}

// The defaults of Limits.
const (
	defaultRequests      = 8192
	defaultWriters       = 4096
	defaultResponseBytes = 32 << 20
	defaultRequestTime   = 30 * time.Second
)

// complete sets defaults for omitted fields, and replaces negative ones by values that
// have no effect.
func (l *Limits) complete() error {
	if math.IsNaN(l.Rate) || math.IsInf(l.Rate, 0) {
		return errors.New("Config.Limits.Rate: must be a number")
	}
	l.Requests = orDefault(l.Requests, defaultRequests, math.MaxInt)
	l.Writers = orDefault(l.Writers, defaultWriters, math.MaxInt)
	l.ResponseBytes = orDefault(l.ResponseBytes, defaultResponseBytes, 0)
	l.RequestTime = orDefault(l.RequestTime, defaultRequestTime, 0)
	l.Rate = max(0, l.Rate)
	l.Burst = orDefault(l.Burst, int(min(math.Ceil(l.Rate), math.MaxInt32)), math.MaxInt32)
	return nil
}

// orDefault returns the value of a limit: def if it is 0, and none if it is negative.
func orDefault[T cmp.Ordered](v, def, none T) T {
	var zero T
	switch {
	case v == zero:
		return def
	case v < zero:
		return none
	default:
		return v
	}
}
