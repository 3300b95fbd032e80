package promptrails

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
)

// pass is one reading of all pages by number.
type pass struct {
	begun    bool
	total    int  // from the meta of its pages; 0 if unknown
	pages    int  // from the meta of its pages; 0 if unknown
	moved    bool // total or pages changed during the pass
	items    int  // number of distinct items
	overlaps bool // an item was received twice
}

// nextNumber implements next for a list without cursors.
func (w *walk[T]) nextNumber(ctx context.Context, f *fetched[T]) (more bool, err error) {
	meta, came := f.page.Meta, len(f.page.Items)
	if err := w.fault(w.checkNumber(meta, came)); err != nil {
		return false, err
	}
	var leader *T
	if came > 0 {
		leader = f.page.Items[0]
	}
	overlapped := w.pass.overlaps
	again := w.dropSeen(f.page)
	if w.pass.begun && (w.pass.total != meta.Total || w.pass.pages != meta.Pages && !w.sized) {
		w.pass.moved = true
	}
	w.pass.begun, w.pass.total, w.pass.pages = true, meta.Total, meta.Pages
	if w.number == w.first && w.passes == 1 {
		w.came, w.whole = came, came != w.asked
		w.fixed = came > w.asked // the server ignores limit
		if came > 0 && came < w.asked && w.first > 1 && !w.sized {
			if w.fixed, err = w.caps(ctx, leader); err != nil {
				return false, err
			}
		}
		w.widen(ctx, meta, came, leader)
	}
	w.sized = w.sized || came == w.asked && came != w.came
	switch {
	case came == 0, w.last(meta):
		return w.endPass(ctx, f)
	case again == came && came == w.pass.items && w.whole && meta.Pages == 0 && meta.Total == 0:
		return false, nil // the server ignores page and returned the whole list
	case again == came && w.probed != 0 && !w.fixed:
		w.fixed, w.pass.overlaps = true, overlapped
		w.ask(w.asked, w.probed+1)
		return true, nil
	case again == came:
		return w.endPass(ctx, f)
	}
	w.probed = 0
	switch {
	case w.fixed, meta.Pages > 0 && !w.sized, came == w.asked && !w.sized:
		w.ask(w.asked, w.number+1)
	default:
		if came < w.asked {
			w.probed = w.number
		}
		w.askFrom((w.number-1)*w.asked + came)
	}
	return true, nil
}

// caps reports whether the server caps the page size below limit. If it does,
// the short page that the caller requested first does not start at offset
// (page-1)*limit. item is the first item of that page.
func (w *walk[T]) caps(ctx context.Context, item *T) (bool, error) {
	limit, number := w.asked, w.number
	w.ask(1, (number-1)*limit+1)
	f := w.fetch(ctx)
	w.ask(limit, number)
	if f.err != nil {
		return false, f.err
	}
	return len(f.page.Items) != 1 || w.identity(f.page.Items[0]) != w.identity(item), nil
}

// askFrom requests the page that starts at offset. A page that is shorter than
// its limit is not necessarily the last one, so askFrom chooses the largest
// size that divides offset. A server that ignores limit then returns items that
// were already received, and its pages are read by number.
func (w *walk[T]) askFrom(offset int) {
	limit := w.size.limit()
	for limit > 1 && offset%limit != 0 {
		limit--
	}
	w.ask(limit, offset/limit+1)
}

func (w *walk[T]) ask(limit, number int) {
	w.asked, w.number = limit, number
	w.query.Set("page", strconv.Itoa(number))
}

// checkNumber returns an error if the server's pages are inconsistent or do not
// end.
func (w *walk[T]) checkNumber(meta Meta, came int) error {
	if w.pages == 0 {
		w.pages = meta.Pages
	}
	switch {
	case came == 0 && meta.Pages > w.number:
		return fmt.Errorf("page %d of %d is empty", w.number, meta.Pages)
	case meta.Page != 0 && meta.Page != w.number:
		return fmt.Errorf("requested page %d, received page %d", w.number, meta.Page)
	case meta.Pages > w.number && w.asked == w.size.max && w.number > 2*w.pages+10:
		return fmt.Errorf("page %d is not the last, but there were %d pages at the start", w.number, w.pages)
	default:
		return nil
	}
}

// last reports whether the current page is the last one, according to meta.
func (w *walk[T]) last(meta Meta) bool {
	if meta.Total > 0 && w.first == 1 {
		return w.pass.items >= meta.Total && w.number >= meta.Pages
	}
	return meta.Pages > 0 && w.number >= meta.Pages
}

// dropSeen removes items that were already returned. It returns the number of
// items that were already received in this pass.
func (w *walk[T]) dropSeen(page *Page[T]) (again int) {
	page.Items = slices.DeleteFunc(page.Items, func(item *T) bool {
		key := maphash.String(w.seed, w.identity(item))
		pass, returned := w.seen[key]
		if pass == w.passes {
			again++
			return true
		}
		w.pass.items++
		if returned || len(w.seen) < maxSeen {
			w.seen[key] = w.passes
		}
		if !returned {
			w.distinct++
		}
		return returned
	})
	w.pass.overlaps = w.pass.overlaps || again > 0
	return again
}

// endPass reports whether another pass is required. If the pages of a pass did
// not overlap and the total did not change, the pass has received every item
// that existed during all of it. If its pages were requested concurrently, the
// list must also be unchanged after it. Otherwise endPass starts another pass,
// to find items that moved between pages.
func (w *walk[T]) endPass(ctx context.Context, f *fetched[T]) (more bool, err error) {
	p := w.pass
	w.steady = w.steady && !p.moved && (w.total == 0 || w.total == p.total)
	counted := w.first == 1 && p.total > 0
	isComplete := !p.overlaps && !p.moved && (!counted || p.items >= p.total) || counted && w.steady && w.distinct == p.total
	if isComplete && w.passes == 1 && w.leader != "" {
		isComplete = w.unchanged(ctx, f)
	}
	switch {
	case isComplete:
		return false, nil
	case w.distinct > maxSeen:
		f.ends = w.incomplete("it changed during the iteration, and is too large to be read again without duplicates")
		return false, nil
	case w.passes == maxPasses && counted:
		f.ends = w.incomplete("received %d of %d items", w.distinct, p.total)
		return false, nil
	case w.passes == maxPasses:
		f.ends = w.incomplete("the pages overlap, and the server does not report the number of items")
		return false, nil
	}
	if err := sleep(ctx, backoff(w.passes)); err != nil {
		return false, err
	}
	w.total, w.pass = p.total, pass{}
	w.passes++
	w.ask(w.size.max, w.first)
	return true, nil
}
