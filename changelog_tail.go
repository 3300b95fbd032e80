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

// defaultTailInterval is the default polling interval of
// [ChangelogService.Tail].
const defaultTailInterval = 5 * time.Second

// maxTailPause is the maximum pause of [ChangelogService.Tail] after a failure.
const maxTailPause = time.Minute

// TailParams configures [ChangelogService.Tail].
type TailParams struct {
	After    int64         // the last sequence already read; 0: start at the first entry
	Interval time.Duration // polling interval while there are no new entries; default 5 s
	Limit    int           // entries per request, 1 to 100; default 100
}

// Tail returns an iterator over the entries after a sequence, oldest first, and
// then over new entries as they are recorded. It yields each entry exactly
// once. It requires the changelog:read scope, or the admin role.
//
// The iterator stops when ctx is done, when the API refuses the caller or no
// longer has the workspace, or with a [*ChainError] if an entry is missing or
// the changelog is shorter than After, for example because the database was
// restored from a backup. Other errors are treated as temporary: Tail logs them
// and retries, with pauses that increase to one minute.
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

// tail is the state of [ChangelogService.Tail].
type tail struct {
	TailParams
	service  *ChangelogService
	opts     []RequestOption
	reader   *entryReader
	failures int
	worked   bool // a request has succeeded
	unsure   bool // the changelog must be checked to still contain entry After
}

// next returns new entries and how long to wait before calling it again, or the
// error that stops the iterator.
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
		t.service.client.conn.logger.WarnContext(ctx, "promptrails: reading the changelog failed; retrying", "failures", t.failures, "error", f.err)
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
	return entries, 0, nil // more entries are available
}

// hasAfter returns a *ChainError if the changelog is shorter than After.
func (t *tail) hasAfter(ctx context.Context) error {
	head, err := t.service.Head(ctx, t.opts...)
	if err == nil && head.Sequence < t.After {
		return &ChainError{head.Sequence + 1, fmt.Sprintf("the changelog ends at %d, but entry %d was read before", head.Sequence, t.After)}
	}
	return err
}

// passes reports whether a retry may succeed. It returns false for a refusal by
// the API, an invalid call, a broken chain, and a single entry that is too
// large. JSON in another form than the API's is attributed to a gateway if a
// request has worked, and otherwise to a server without a changelog.
func passes(err error, worked bool) bool {
	if _, ok := errors.AsType[*ChainError](err); ok {
		return false
	}
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok, errors.Is(err, errTooLarge):
		return false
	case e.Status == 0:
		return e.Code != CodeUnauthorized // the client has no credentials
	case e.garbled, e.Status >= 500, e.Status < 400, e.Status == http.StatusTooManyRequests, e.Status == http.StatusMisdirectedRequest, isTransient(e.Status):
		return true
	default:
		return !e.json || worked && !e.enveloped // a proxy's response, not the API's
	}
}

// outage returns the pause after a number of consecutive failures: one second,
// doubled after each failure up to maxTailPause, half of it random. A
// Retry-After of a 429 replaces it, up to maxTailPause.
func outage(failures int, err error) time.Duration {
	if limited, ok := errors.AsType[*RateLimitError](err); ok && limited.RetryAfter > 0 {
		return min(limited.RetryAfter, maxTailPause)
	}
	pause := min(time.Second<<min(failures-1, 6), maxTailPause)
	return pause/2 + rand.N(pause/2) //nolint:gosec // jitter is not a secret
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
