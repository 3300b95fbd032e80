package promptrails

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"time"
)

// Bounds of the iteration over a list.
const (
	maxEmptyPages = 10      // consecutive empty pages with a cursor
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

// pass is one reading of all pages by number.
type pass struct {
	begun    bool
	total    int  // from the meta of its pages; 0 if unknown
	pages    int  // from the meta of its pages; 0 if unknown
	moved    bool // total or pages changed during the pass
	items    int  // number of distinct items
	overlaps bool // an item was received twice
}

func newWalk[T any](c *Client, call call, query url.Values) *walk[T] {
	limit, _ := strconv.Atoi(query.Get("limit"))
	if limit == 0 {
		limit = pageSize
	}
	number, _ := strconv.Atoi(query.Get("page"))
	number = max(1, number)
	return &walk[T]{
		client: c, call: call, query: query, size: newSizer(limit),
		first: number, number: number, asked: limit, passes: 1, steady: true, seen: map[uint64]int{}, seed: maphash.MakeSeed(), identity: identity[T](),
	}
}

func (w *walk[T]) pagesOf(ctx context.Context) iter.Seq[fetched[T]] {
	return func(yield func(fetched[T]) bool) {
		for {
			f := w.fetch(ctx)
			if errors.Is(f.err, errTooLarge) && w.shrink() {
				continue
			}
			var more bool
			if f.err == nil {
				more, f.err = w.next(ctx, &f)
			}
			if !yield(f) || !more || f.err != nil || f.ends != nil {
				return
			}
		}
	}
}

func (w *walk[T]) fetch(ctx context.Context) (f fetched[T]) {
	w.query.Set("limit", strconv.Itoa(w.asked))
	call := w.call
	call.query = w.query
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

// dropRepeated removes items that were in the previous page. If the server's
// cursor is an offset, insertions make it return items again.
func (w *walk[T]) dropRepeated(page *Page[T]) {
	if w.now == nil {
		w.before, w.now = map[uint64]struct{}{}, map[uint64]struct{}{}
	}
	clear(w.now)
	page.Items = slices.DeleteFunc(page.Items, func(item *T) bool {
		key := maphash.String(w.seed, w.identity(item))
		w.now[key] = struct{}{}
		_, again := w.before[key]
		return again
	})
	w.before, w.now = w.now, w.before
}

// cursorEnds returns an error if f, a page without a next cursor, cannot be
// confirmed to be the last page of a list with cursors.
func (w *walk[T]) cursorEnds(f *fetched[T]) error {
	meta := f.page.Meta
	switch {
	case !f.hasMeta:
		return w.incomplete("the response has no meta")
	case !w.query.Has("after") && (meta.Pages > 1 || meta.Total > len(f.page.Items)):
		return w.incomplete("received %d of %d items and no cursor", len(f.page.Items), meta.Total)
	case w.cursor.steps == 0 && meta.Page > 0 && meta.Pages > meta.Page:
		return w.incomplete("received page %d of %d: the server does not support the parameter after", meta.Page, meta.Pages)
	default:
		return nil
	}
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
// that existed during all of it. Otherwise endPass starts another pass, to find
// items that moved between pages.
func (w *walk[T]) endPass(ctx context.Context, f *fetched[T]) (more bool, err error) {
	p := w.pass
	w.steady = w.steady && !p.moved && (w.total == 0 || w.total == p.total)
	counted := w.first == 1 && p.total > 0
	switch {
	case !p.overlaps && !p.moved && (!counted || p.items >= p.total), counted && w.steady && w.distinct == p.total:
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

// cursorGuard detects cycles of cursors in constant memory, with Brent's
// algorithm.
type cursorGuard struct {
	steps, mark int
	seen        string // the cursor at the last mark
	empty       int    // number of consecutive empty pages
}

// pause waits after an empty page. The wait doubles with each consecutive empty
// page.
func (g *cursorGuard) pause(ctx context.Context) error {
	return sleep(ctx, 10*time.Millisecond<<g.empty)
}

func (g *cursorGuard) check(cursor string, items int) error {
	g.empty++
	if items > 0 {
		g.empty = 0
	}
	switch {
	case cursor == g.seen:
		return errors.New("the server repeats a cursor")
	case g.empty > maxEmptyPages:
		return fmt.Errorf("%d consecutive pages are empty", g.empty)
	}
	if g.steps++; g.steps > g.mark {
		g.seen, g.mark = cursor, 2*g.steps
	}
	return nil
}

// identity returns a function that returns the id of an item, or all its fields
// if it has no id.
func identity[T any]() func(*T) string {
	var index []int
	for _, name := range []string{"ID", "AgentID"} {
		if f, ok := reflect.TypeFor[T]().FieldByName(name); ok && f.Type.Kind() == reflect.String {
			index = f.Index
			break
		}
	}
	return func(item *T) string {
		if index != nil {
			if id := reflect.ValueOf(item).Elem().FieldByIndex(index).String(); id != "" {
				return id
			}
		}
		return fmt.Sprintf("%+v", *item)
	}
}
