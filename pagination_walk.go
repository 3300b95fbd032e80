package promptrails

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strconv"
)

// Bounds of the iteration over a list.
const (
	maxEmptyPages = 10_000  // consecutive empty pages with a cursor: a server may search a part of a list per page
	maxPasses     = 4       // readings of a list whose pages overlap
	maxSeen       = 100_000 // ids that are stored to find duplicates
)

// walk iterates over the pages of a list, by cursor if the server has cursors
// and by number otherwise. By number, it reads until the list is known to be
// complete and returns an error if it cannot determine that.
type walk[T any] struct {
	client *Client
	call   call
	query  url.Values
	size   *sizer
	cursor cursorGuard
	before map[uint64]struct{} // items of the previous page, with cursors
	now    map[uint64]struct{} // items of the current page, with cursors

	// With page numbers.
	width  int // number of pages that may be requested concurrently
	window *window[spot, T]
	leader string // identity of the first item, if pages were requested concurrently

	// Without cursors.
	first    int  // the page that the caller requested
	number   int  // of the page being requested
	asked    int  // limit of the page being requested
	came     int  // number of items of the first page
	whole    bool // the size of the first page differs from its limit, so it may be the whole list
	sized    bool // the server is known to honour limit
	fixed    bool // the server ignores or caps limit
	probed   int  // the last page before askFrom requested another one; 0 if unset
	pass     pass
	passes   int
	pages    int  // from the meta of the first page
	total    int  // from the previous pass; 0 if unknown
	steady   bool // the total has not changed
	distinct int  // number of items that were returned
	seen     map[uint64]int
	seed     maphash.Seed
	identity func(*T) string
}

func newWalk[T any](c *Client, call call, query url.Values) *walk[T] {
	limit, _ := strconv.Atoi(query.Get("limit"))
	if limit == 0 {
		limit = pageSize
	}
	number, _ := strconv.Atoi(query.Get("page"))
	number = max(1, number)
	if query = maps.Clone(query); query == nil {
		query = url.Values{}
	}
	return &walk[T]{
		client: c, call: call, query: query, size: newSizer(limit),
		first: number, number: number, asked: limit, passes: 1, steady: true, seen: map[uint64]int{}, seed: maphash.MakeSeed(), identity: identity[T](),
	}
}

// rest returns an iterator over the pages that were not yet returned.
func (w *walk[T]) rest(ctx context.Context) iter.Seq[fetched[T]] {
	return func(yield func(fetched[T]) bool) {
		for more := true; more; {
			var f fetched[T]
			if f, more = w.step(ctx); !yield(f) {
				return
			}
		}
	}
}

// step returns the next page and reports whether there is another one.
func (w *walk[T]) step(ctx context.Context) (f fetched[T], more bool) {
	for {
		f = w.fetch(ctx)
		if errors.Is(f.err, errTooLarge) && w.shrink() {
			continue
		}
		if f.err == nil {
			more, f.err = w.next(ctx, &f)
		}
		return f, more && f.err == nil && f.ends == nil
	}
}

// fetch returns the page being requested, from the window if it is there.
func (w *walk[T]) fetch(ctx context.Context) fetched[T] {
	if w.window != nil {
		if next, ok := w.window.key(); ok && next == (spot{w.asked, w.number}) && !w.query.Has("after") {
			return w.window.take()
		}
		w.narrow()
	}
	w.query.Set("limit", strconv.Itoa(w.asked))
	return w.request(ctx, w.query)
}

func (w *walk[T]) request(ctx context.Context, query url.Values) (f fetched[T]) {
	call := w.call
	call.query = query
	call.opts = append(slices.Clone(call.opts), WithResponse(&f.response))
	f.page, f.hasMeta, f.err = listPage[T](ctx, w.client, call)
	return f
}

// next sets the query for the next page and reports whether there is one.
func (w *walk[T]) next(ctx context.Context, f *fetched[T]) (more bool, err error) {
	w.size.grow()
	came := len(f.page.Items)
	if (w.query.Has("after") || f.page.Meta.NextCursor != "") && !w.call.op.has(bySequence) {
		w.dropRepeated(f.page)
	}
	if w.query.Has("after") && len(w.seen) > 0 {
		w.dropSeen(f.page) // items that were received by number
	}
	switch cursor := f.page.Meta.NextCursor; {
	case cursor != "":
		if !w.query.Has("after") && len(w.seen) > 0 {
			w.dropSeen(f.page)
		}
		w.query.Del("page")
		w.query.Set("after", cursor)
		w.asked = w.size.limit()
		if came == 0 {
			if err := w.cursor.pause(ctx); err != nil {
				return false, err
			}
		}
		return true, w.fault(w.cursor.check(cursor, came))
	case w.query.Has("after"), w.call.op.has(bySequence):
		f.ends = w.cursorEnds(f)
		return false, nil
	default:
		return w.nextNumber(ctx, f)
	}
}

// shrink requests a smaller page instead of one that was too large. It reports
// false if the page had only one item.
func (w *walk[T]) shrink() bool {
	offset := (w.number - 1) * w.asked
	if !w.size.shrink(w.asked) {
		return false
	}
	w.sized = true
	if w.query.Has("after") || w.number == 1 {
		w.asked = w.size.limit()
	} else {
		w.askFrom(offset)
	}
	return true
}

func (w *walk[T]) fault(err error) error {
	if err == nil {
		return nil
	}
	return &Error{Operation: w.call.op.String(), Code: CodeInternal, Message: "invalid pagination: " + err.Error()}
}

func (w *walk[T]) incomplete(format string, args ...any) error {
	return &Error{Operation: w.call.op.String(), Code: CodeInternal, Message: "the list may be incomplete: " + fmt.Sprintf(format, args...)}
}
