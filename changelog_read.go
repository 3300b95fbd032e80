package promptrails

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// entryReader reads a changelog in one direction. It follows the cursor where
// the server offers one. Where it does not, the next page begins after the last
// sequence, so that a short page is never taken for the end.
type entryReader struct {
	service *ChangelogService
	params  ListChangelogParams
	opts    []RequestOption
	size    *sizer
	whole   bool // nothing but sequences narrows the list: they have no gaps

	last    int64 // the sequence that came last; 0: none
	reached int64 // the farthest sequence of the list in this direction; 0: not known
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

// fetch requests one page, and a smaller one if that is too large.
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

// next checks a page, sets the parameters for the one after it, and reports
// whether to request that.
func (r *entryReader) next(ctx context.Context, f fetched[ChangelogEntry]) (more bool, err error) {
	if err := r.follow(f.page.Items); err != nil {
		return false, err
	}
	r.size.grow()
	came, meta := len(f.page.Items), f.page.Meta
	if meta.NextCursor != "" {
		if came == 0 {
			if err := r.cursor.pause(ctx); err != nil {
				return false, err
			}
		}
		r.params.After = meta.NextCursor
		if err := r.cursor.check(meta.NextCursor, came); err != nil {
			return false, &Error{Operation: opChangelogList.String(), Code: CodeInternal, Message: "the list does not end: " + err.Error()}
		}
		return true, nil
	}
	short := f.hasMeta && meta.Limit > 0 && came < min(meta.Limit, r.params.Limit)
	if r.params.After == "" && (meta.Total > came || meta.Pages > 1) {
		short = false // the server cut it short
	}
	if came == 0 || short || r.last == r.reached {
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

// follow checks that entries come in order and, in a whole list, without a gap.
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
			return &ChainError{want, fmt.Sprintf("the server returned entry %d in its place", e.Sequence)}
		}
		r.last = e.Sequence
	}
	return nil
}

// complete reports entries that are missing at the far end of a whole list.
func (r *entryReader) complete() error {
	if r.whole && r.descending() && r.last > r.reached {
		return &ChainError{r.last - 1, fmt.Sprintf("the server returned no entry after %d, although the list goes on to %d", r.last, r.reached)}
	}
	return nil
}
