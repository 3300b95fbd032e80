package promptrails

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"reflect"
	"slices"
	"time"
)

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

// cursorGuard detects cycles of cursors in constant memory, with Brent's
// algorithm.
type cursorGuard struct {
	steps, mark int
	seen        string // the cursor at the last mark
	empty       int    // number of consecutive empty pages
}

// maxPause is the longest wait after an empty page.
const maxPause = 20 * time.Millisecond

// pause waits after an empty page. The wait doubles with each consecutive empty
// page, up to maxPause.
func (g *cursorGuard) pause(ctx context.Context) error {
	return sleep(ctx, min(maxPause, time.Millisecond<<min(g.empty, 10)))
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
