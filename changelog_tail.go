package promptrails

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"time"
)

// defaultTailInterval is how often [ChangelogService.Tail] asks.
const defaultTailInterval = 5 * time.Second

// maxTailPause is the longest pause of [ChangelogService.Tail] in an outage.
const maxTailPause = time.Minute

// TailParams says from where to follow a changelog.
type TailParams struct {
	After    int64         // the last sequence that was seen; 0: from the beginning
	Interval time.Duration // between two requests while there is nothing new: 5 s by default
	Limit    int           // entries a request: 1 to 100, 100 by default
}

// Tail follows the changelog: every entry after a sequence, the oldest first, and
// each new one as it comes, none left out and none twice.
//
// It ends with the context, when the API refuses the caller or no longer has the
// workspace, or with a [*ChainError]: an entry is missing, or the changelog ends
// before After, as that of a restored database does. Everything else may pass:
// it waits and asks again, with pauses that grow up to a minute. It needs the
// scope changelog:read, or the role admin.
func (s *ChangelogService) Tail(ctx context.Context, params *TailParams, opts ...RequestOption) iter.Seq2[*ChangelogEntry, error] {
	var p TailParams
	if params != nil {
		p = *params
	}
	if p.Interval == 0 {
		p.Interval = defaultTailInterval
	}
	return func(yield func(*ChangelogEntry, error) bool) {
		switch {
		case ctx == nil:
			yield(nil, invalid("ctx", "must not be nil; use context.Background"))
			return
		case p.After < 0 || p.Interval < 0 || p.Limit < 0:
			yield(nil, invalid("After, Interval, Limit", "must not be negative"))
			return
		}
		t := &tail{
			TailParams: p, service: s, opts: opts, unsure: true,
			reader: s.reader(ListChangelogParams{Order: OrderAscending, SequenceFrom: p.After + 1, ListOptions: ListOptions{Limit: p.Limit}}, opts),
		}
		for {
			entries, pause, err := t.next(ctx)
			for _, entry := range entries {
				if !yield(entry, nil) {
					return
				}
			}
			if err == nil && pause > 0 {
				err = sleep(ctx, pause)
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// tail is a changelog that is followed.
type tail struct {
	TailParams
	service  *ChangelogService
	opts     []RequestOption
	reader   *entryReader
	failures int
	worked   bool // once
	unsure   bool // whether the changelog still has what was seen of it
}

// next returns entries that are new, and how long to wait before it is called
// again; or the error that ends the tail.
func (t *tail) next(ctx context.Context) ([]*ChangelogEntry, time.Duration, error) {
	f := t.reader.fetch(ctx)
	if f.err == nil && len(f.page.Items) == 0 && t.unsure && t.After > 0 {
		f.err = t.hasAfter(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return nil, 0, ctx.Err()
	case f.err == nil:
	case passes(f.err, t.worked):
		t.failures++
		t.unsure = true
		t.service.client.conn.logger.WarnContext(ctx, "promptrails: tail waits", "failures", t.failures, "error", f.err)
		return nil, outage(t.failures, f.err), nil
	default:
		return nil, 0, f.err
	}
	t.failures, t.unsure, t.worked = 0, false, true
	entries := f.page.Items
	if err := t.reader.follow(entries); err != nil {
		return nil, 0, err
	}
	t.reader.size.grow()
	if len(entries) == 0 {
		return nil, t.Interval, nil
	}
	t.After = t.reader.last
	t.reader.params.SequenceFrom = t.After + 1
	if f.page.Meta.NextCursor == "" && len(entries) < t.reader.params.Limit {
		return entries, t.Interval, nil
	}
	return entries, 0, nil // there is more already
}

// hasAfter returns a *ChainError if the changelog ends before what was seen.
func (t *tail) hasAfter(ctx context.Context) error {
	head, err := t.service.Head(ctx, t.opts...)
	if err == nil && head.Sequence < t.After {
		return &ChainError{head.Sequence + 1, fmt.Sprintf("the changelog ends at %d, although it was seen up to %d", head.Sequence, t.After)}
	}
	return err
}

// passes reports whether another try may succeed: after everything but the API's
// own refusal, a fault of the caller's, a broken chain, and a page of one entry
// that is too large. JSON that is not in the API's form is a gateway's once the
// API has answered, and before that a server's that has no changelog.
func passes(err error, worked bool) bool {
	if _, ok := errors.AsType[*ChainError](err); ok {
		return false
	}
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok, errors.Is(err, errTooLarge):
		return false
	case e.Status == 0:
		return e.Code != CodeUnauthorized // there is no key at all
	case e.garbled, e.Status >= 500, e.Status < 400, e.Status == http.StatusTooManyRequests, e.Status == http.StatusMisdirectedRequest, isTransient(e.Status):
		return true
	default:
		return !e.json || worked && !e.enveloped // a proxy's page, not a response of the API
	}
}

// outage returns how long to wait after so many failures: a second, doubled each
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
