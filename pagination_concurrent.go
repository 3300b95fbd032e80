package promptrails

import (
	"context"
	"iter"
	"maps"
	"net/url"
	"strconv"
)

// minConcurrent is the smallest number of pages that are faster to request
// concurrently: the first page and the check at the end are requested separately.
const minConcurrent = 4

// spot is a page by number.
type spot struct{ limit, number int }

// prefetch returns an iterator that fetches up to n pages ahead. While there is
// a window, it requests them concurrently, and otherwise one after another.
func (w *walk[T]) prefetch(ctx context.Context, n int) iter.Seq[fetched[T]] {
	if n < 2 {
		return ahead(ctx, n, w.rest)
	}
	return func(yield func(fetched[T]) bool) {
		w.width = n
		defer w.narrow()
		for {
			var more bool
			f := guarded(func() (f fetched[T]) {
				f, more = w.step(ctx)
				return f
			})
			if more && w.window == nil {
				w.pipe(ctx, f)(yield)
				return
			}
			if !yield(f) || !more {
				return
			}
		}
	}
}

// pipe returns an iterator over f and the following pages, without a window.
func (w *walk[T]) pipe(ctx context.Context, f fetched[T]) iter.Seq[fetched[T]] {
	return ahead(ctx, w.width, func(ctx context.Context) iter.Seq[fetched[T]] {
		return func(yield func(fetched[T]) bool) {
			if yield(f) {
				w.rest(ctx)(yield)
			}
		}
	})
}

// widen starts to request the pages after the first one concurrently, if its meta
// is complete and consistent with the number of items.
func (w *walk[T]) widen(ctx context.Context, meta Meta, came int, leader *T) {
	isRegular := came == w.asked && meta.Limit == w.asked && meta.Page == 1 && meta.Pages == (meta.Total+w.asked-1)/w.asked
	if w.width < 2 || w.first != 1 || w.sized || !isRegular || meta.Pages < minConcurrent {
		return
	}
	w.leader = w.identity(leader)
	page, query := spot{w.asked, 1}, maps.Clone(w.query)
	next := func() (spot, bool) {
		page.number++
		return page, page.number <= meta.Pages
	}
	w.window = newWindow(ctx, w.width, next, func(ctx context.Context, page spot) fetched[T] {
		return w.request(ctx, page.in(query))
	})
}

// in returns a query for the page.
func (p spot) in(query url.Values) url.Values {
	query = maps.Clone(query)
	query.Set("limit", strconv.Itoa(p.limit))
	query.Set("page", strconv.Itoa(p.number))
	return query
}

// narrow cancels the requests of the window. The walk continues without it.
func (w *walk[T]) narrow() {
	if w.window != nil {
		w.window.close()
		w.window = nil
	}
}

// unchanged reports whether the list has the same first item and total as before
// its pages were requested concurrently. The server may have read them in any
// order, so insertions and deletions in between can hide an item without an
// overlap. In a list with new items first, the same first item means that no
// insertion remains, and then the same total means that no item was deleted. All
// pages had that total, so they are of the same list. After an error, unchanged
// reports true, and the error is returned after the items of the last page.
func (w *walk[T]) unchanged(ctx context.Context, last *fetched[T]) bool {
	f := w.request(ctx, spot{1, 1}.in(w.query))
	if f.err != nil {
		last.ends = f.err
		return true
	}
	items := f.page.Items
	return f.page.Meta.Total == w.pass.total && len(items) > 0 && w.identity(items[0]) == w.leader
}
