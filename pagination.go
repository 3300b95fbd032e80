package promptrails

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
)

// pageSize is how many items All asks for at a time, unless told otherwise.
const pageSize = 100

// ListOptions says which page of a list to answer with. It is a part of every
// List parameter.
type ListOptions struct {
	Page  int    `url:"page,omitempty"`  // from 1; newer servers give a cursor too, which is better
	Limit int    `url:"limit,omitempty"` // items a page: 1 to 100, 20 by default
	After string `url:"after,omitempty"` // the NextCursor of an earlier page
}

// Page is one page of a list. Items point into one array, so holding one item
// keeps its page in memory.
type Page[T any] struct {
	Items []*T `json:"data"`
	Meta  Meta `json:"meta"`
}

// Meta tells where in a list a page is. What the server does not say is zero.
type Meta struct {
	Total      int    `json:"total,omitzero"` // of the whole list
	Page       int    `json:"page,omitzero"`
	Limit      int    `json:"limit,omitzero"`
	Pages      int    `json:"pages,omitzero"`
	NextCursor string `json:"next_cursor,omitzero"` // for ListOptions.After; empty on the last page, and where the server has no cursors
}

// list sends a call whose answer is a page of a list.
func list[T any](ctx context.Context, c *Client, call call) (*Page[T], error) {
	page := new(Page[T])
	if err := c.send(ctx, call, page.receiver()); err != nil {
		return nil, err
	}
	return page, nil
}

// all returns a sequence over every item of a list. It may be ranged over more
// than once, each time from the beginning.
func all[T any](ctx context.Context, c *Client, call call, params any) iter.Seq2[*T, error] {
	query, err := encodeQuery(params) // now: the caller may change params later
	options := newRequestOptions(call.opts)
	return func(yield func(*T, error) bool) {
		if err != nil {
			yield(nil, err)
			return
		}
		if options.err != nil {
			yield(nil, options.err)
			return
		}
		walk := walk[T]{client: c, call: call, query: maps.Clone(query)}
		for fetched := range ahead(ctx, options.prefetch, walk.pages) {
			if fetched.err != nil {
				yield(nil, fetched.err)
				return
			}
			if options.response != nil {
				*options.response = fetched.response
			}
			for _, item := range fetched.page.Items {
				if err := ctx.Err(); err != nil {
					yield(nil, err)
					return
				}
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// fetched is a page, or what kept it from being had.
type fetched[T any] struct {
	page     *Page[T]
	response Response
	err      error
}

// walk goes over the pages of a list.
type walk[T any] struct {
	client *Client
	call   call
	query  url.Values
	guard  guard
	first  *T // of the page before, where a server tells nothing about its pages
}

func (w *walk[T]) pages(ctx context.Context) iter.Seq[fetched[T]] {
	return func(yield func(fetched[T]) bool) {
		if !w.query.Has("limit") {
			w.query.Set("limit", strconv.Itoa(pageSize))
		}
		for {
			var f fetched[T]
			call := w.call
			call.query = w.query
			call.opts = append(slices.Clone(call.opts), WithResponse(&f.response))
			f.page, f.err = list[T](ctx, w.client, call)
			var more bool
			if f.err == nil {
				more, f.err = w.next(f.page)
			}
			if !yield(f) || !more || f.err != nil {
				return
			}
		}
	}
}

// next turns the query to the page behind this one, and reports whether there
// is one: by cursor where the server gives one, else by number.
func (w *walk[T]) next(page *Page[T]) (more bool, err error) {
	if cursor := page.Meta.NextCursor; cursor != "" {
		w.query.Del("page")
		w.query.Set("after", cursor)
		return true, w.guard.cursor(cursor, len(page.Items))
	}
	if w.query.Has("after") {
		return false, nil
	}
	number, _ := strconv.Atoi(w.query.Get("page"))
	number = max(1, number)
	if page.Meta == (Meta{}) {
		// Nothing is known but what came: a full page may have another behind it.
		limit, _ := strconv.Atoi(w.query.Get("limit"))
		if len(page.Items) < limit {
			return false, nil
		}
		if reflect.DeepEqual(w.first, page.Items[0]) {
			return false, endless("page %d repeats the one before", number)
		}
		w.first = page.Items[0]
	} else if page.Meta.Pages <= number {
		return false, nil
	} else if err := w.guard.number(number, len(page.Items), page.Meta); err != nil {
		return false, err
	}
	w.query.Set("page", strconv.Itoa(number+1))
	return true, nil
}

// guard finds a list that would never end, in memory that does not grow.
type guard struct {
	steps, mark int
	seen        string // the cursor at the last power of two: Brent's algorithm
	empty       int    // pages in a row without an item
	pages       int    // as the first page said
}

// maxEmptyPages is how many pages without an item, but with a cursor, may
// follow each other.
const maxEmptyPages = 100

func (g *guard) cursor(c string, items int) error {
	g.empty++
	if items > 0 {
		g.empty = 0
	}
	switch {
	case c == g.seen:
		return endless("the server repeats a cursor")
	case g.empty > maxEmptyPages:
		return endless("%d pages in a row are empty", g.empty)
	}
	if g.steps++; g.steps > g.mark {
		g.seen, g.mark = c, 2*g.steps
	}
	return nil
}

func (g *guard) number(number, items int, meta Meta) error {
	if g.pages == 0 {
		g.pages = meta.Pages
	}
	switch {
	case items == 0:
		return endless("page %d of %d is empty", number, meta.Pages)
	case meta.Page != 0 && meta.Page != number:
		return endless("page %d came for page %d", meta.Page, number)
	case number > 2*g.pages+10:
		return endless("page %d has another behind it, where there were %d in all when it began", number, g.pages)
	default:
		return nil
	}
}

func endless(format string, args ...any) error {
	return &Error{Code: CodeInternal, Message: "the list does not end: " + fmt.Sprintf(format, args...)}
}

// ahead runs a sequence up to n items ahead of the consumer, in a goroutine
// that has ended when the loop over it has.
func ahead[T any](ctx context.Context, n int, seq func(context.Context) iter.Seq[T]) iter.Seq[T] {
	if n == 0 {
		return seq(ctx)
	}
	return func(yield func(T) bool) {
		ctx, cancel := context.WithCancel(ctx)
		// The end of the caller's context is an item, which must arrive: only
		// the end of the loop makes the goroutine drop one.
		ended := make(chan struct{})
		// One item waits in the goroutine's hand, the rest in the channel.
		items := make(chan T, n-1)
		defer func() {
			close(ended)
			cancel()
			for range items { // until the goroutine has closed it
			}
		}()
		go func() {
			defer close(items)
			for item := range seq(ctx) {
				select {
				case items <- item:
				case <-ended:
					return
				}
			}
		}()
		for item := range items {
			if !yield(item) {
				return
			}
		}
	}
}
