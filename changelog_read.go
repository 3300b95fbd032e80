package promptrails

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// entryReader reads a changelog in one direction. It follows the server's
// cursors. Without a cursor, it requests the next page by the last sequence
// received, so that a short page is not mistaken for the end of the list.
type entryReader struct {
	service *ChangelogService
	params  ListChangelogParams
	opts    []RequestOption
	size    *sizer
	whole   bool // the list is filtered by sequence only and so has no gaps

	last    int64 // the last sequence received; 0: no entry yet
	reached int64 // the final sequence of the list in this direction; 0: unknown
	cursor  cursorGuard
}

func (s *ChangelogService) reader(p ListChangelogParams, opts []RequestOption) *entryReader {
	limit := p.Limit
	if limit == 0 {
		limit = pageSize
	}
	r := &entryReader{service: s, params: p, opts: opts, size: newSizer(limit), whole: p.whole()}
	if r.reached = p.SequenceTo; r.descending() {
		r.reached = max(1, p.SequenceFrom)
	}
	return r
}

func (r *entryReader) descending() bool { return r.params.Order != OrderAscending }

func (r *entryReader) pages(ctx context.Context) iter.Seq[fetched[ChangelogEntry]] {
	return func(yield func(fetched[ChangelogEntry]) bool) {
		for {
			f := r.fetch(ctx)
			var more bool
			if f.err == nil {
				more, f.err = r.next(ctx, f)
			}
			if !yield(f) || !more || f.err != nil {
				return
			}
		}
	}
}

// fetch requests one page, and retries with a smaller page if the response is
// too large.
func (r *entryReader) fetch(ctx context.Context) (f fetched[ChangelogEntry]) {
	for {
		r.params.Limit = r.size.limit()
		call := call{op: opChangelogList, query: &r.params, opts: append(slices.Clip(r.opts), WithResponse(&f.response))}
		f.page, f.hasMeta, f.err = listPage[ChangelogEntry](ctx, r.service.client, call)
		if !errors.Is(f.err, errTooLarge) || !r.size.shrink(r.params.Limit) {
			return f
		}
	}
}

// next checks a page, sets the parameters for the following page, and reports
// whether there is one to request.
func (r *entryReader) next(ctx context.Context, f fetched[ChangelogEntry]) (more bool, err error) {
	if err := r.follow(f.page.Items); err != nil {
		return false, err
	}
	r.size.grow()
	n, meta := len(f.page.Items), f.page.Meta
	if meta.NextCursor != "" {
		if n == 0 {
			if err := r.cursor.pause(ctx); err != nil {
				return false, err
			}
		}
		r.params.After = meta.NextCursor
		if err := r.cursor.check(meta.NextCursor, n); err != nil {
			return false, &Error{Operation: opChangelogList.String(), Code: CodeInternal, Message: "invalid pagination: " + err.Error()}
		}
		return true, nil
	}
	short := f.hasMeta && meta.Limit > 0 && n < min(meta.Limit, r.params.Limit)
	if r.params.After == "" && (meta.Total > n || meta.Pages > 1) {
		short = false // the server shortened the page
	}
	if n == 0 || short || r.last == r.reached {
		return false, r.complete()
	}
	r.params.After = ""
	if r.descending() {
		r.params.SequenceTo = r.last - 1
	} else {
		r.params.SequenceFrom = r.last + 1
	}
	return true, nil
}

// follow checks that entries are in order and, if the list is whole, without
// gaps.
func (r *entryReader) follow(entries []*ChangelogEntry) error {
	for _, e := range entries {
		want := e.Sequence
		switch {
		case r.last != 0 && r.descending():
			want = r.last - 1
		case r.last != 0:
			want = r.last + 1
		case r.whole && !r.descending():
			want = max(1, r.params.SequenceFrom)
		case r.whole && r.params.SequenceTo != 0 && e.Sequence > r.params.SequenceTo:
			want = r.params.SequenceTo
		}
		gap := e.Sequence > want
		if r.descending() {
			gap = e.Sequence < want
		}
		if e.Sequence != want && (r.whole || !gap) {
			return &ChainError{want, fmt.Sprintf("the server returned entry %d instead", e.Sequence)}
		}
		r.last = e.Sequence
	}
	return nil
}

// complete returns an error if entries are missing at the end of a whole list.
func (r *entryReader) complete() error {
	if r.whole && r.descending() && r.last > r.reached {
		return &ChainError{r.last - 1, fmt.Sprintf("the server returned no entry after %d, but the list extends to %d", r.last, r.reached)}
	}
	return nil
}
