package promptrails

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"
)

// defaultTailInterval is how often [ChangelogService.Tail] looks.
const defaultTailInterval = 5 * time.Second

// maxTailPause is the longest pause of [ChangelogService.Tail] in an outage.
const maxTailPause = time.Minute

// TailParams says from where to follow a changelog.
type TailParams struct {
	After    int64         // the last sequence that was seen; 0: from the beginning
	Interval time.Duration // between two looks while there is nothing new: 5 s by default
}

// Tail follows the changelog: every entry after a sequence, the oldest first, and
// each new one as it comes, none left out and none twice. It ends with the
// context, or with an error that another try would not mend: a right that is
// lost, a workspace that is gone. Through an outage it waits, with growing
// pauses of up to a minute. It needs the scope changelog:read, or the role
// admin.
func (s *ChangelogService) Tail(ctx context.Context, params *TailParams, opts ...RequestOption) iter.Seq2[*ChangelogEntry, error] {
	var p TailParams
	if params != nil {
		p = *params
	}
	return func(yield func(*ChangelogEntry, error) bool) {
		if p.After < 0 || p.Interval < 0 {
			yield(nil, invalid("After, Interval", "must not be negative"))
			return
		}
		next, failures := p.After+1, 0
		for {
			page, err := s.List(ctx, &ListChangelogParams{Order: OrderAscending, SequenceFrom: next, ListOptions: ListOptions{Limit: pageSize}}, opts...)
			pause := p.pause()
			switch {
			case ctx.Err() != nil:
				yield(nil, ctx.Err())
				return
			case err == nil:
				failures = 0
				for _, entry := range page.Items {
					if entry.Sequence != next {
						yield(nil, &ChainError{next, fmt.Sprintf("the server answered with the entry %d in its place", entry.Sequence)})
						return
					}
					if !yield(entry, nil) {
						return
					}
					next++
				}
				if page.Meta.NextCursor != "" {
					continue // there is more already
				}
			case passes(err):
				failures++
				pause = outage(failures, err)
			default:
				yield(nil, err)
				return
			}
			if err := sleep(ctx, pause); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

func (p TailParams) pause() time.Duration {
	if p.Interval == 0 {
		return defaultTailInterval
	}
	return p.Interval
}

// passes reports whether an error may mend itself.
func passes(err error) bool {
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrServer) || errors.Is(err, ErrRateLimited)
}

// outage is how long to wait after so many failures: a second, doubled each
// time, and half of it at random.
func outage(failures int, err error) time.Duration {
	if limited, ok := errors.AsType[*RateLimitError](err); ok && limited.RetryAfter > 0 {
		return min(limited.RetryAfter, maxTailPause)
	}
	pause := min(time.Second<<min(failures-1, 6), maxTailPause)
	return pause/2 + rand.N(pause/2) //nolint:gosec // jitter is no secret
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
