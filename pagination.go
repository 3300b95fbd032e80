package promptrails

import (
	"context"
	"fmt"
	"iter"
)

// pageSize is the default number of items in a page that All requests.
const pageSize = 100

// ListOptions selects a page of a list. It is part of the parameters of every
// List method. Negative numbers are a [*ValidationError]. The embedded service
// refuses a Page that is far from the start of a long list, and a Page after the
// first if a text such as Query is searched in a list of more than 500 items.
type ListOptions struct {
	Page  int    `url:"page,omitempty"`  // starts at 1; prefer After if the server has cursors
	Limit int    `url:"limit,omitempty"` // items per page: 1 to 100, default 20
	After string `url:"after,omitempty"` // the NextCursor of the previous page
}

// Page is one page of a list. Items point into one array, so a reference to one
// item retains the whole page in memory. The strings of an item with at most 4 KiB
// of JSON are parts of it, so a string retains that; [strings.Clone] copies it.
type Page[T any] struct {
	Items []*T `json:"data"`
	Meta  Meta `json:"meta"`
}

// Meta is the position of a page in its list. A field that the server omits is
// zero. The embedded service omits Total and Pages of a filtered list with more
// than 1000 items to count or 500 to search. A page of such a list can have fewer
// items than its limit, or no items, and a NextCursor.
type Meta struct {
	Total      int    `json:"total,omitzero"` // items in the whole list
	Page       int    `json:"page,omitzero"`
	Limit      int    `json:"limit,omitzero"`
	Pages      int    `json:"pages,omitzero"`
	NextCursor string `json:"next_cursor,omitzero"` // for ListOptions.After; empty on the last page, and if the server has no cursors
}

// list sends a call whose response is a page of a list.
func list[T any](ctx context.Context, c *Client, call call) (*Page[T], error) {
	page, _, err := listPage[T](ctx, c, call)
	return page, err
}

// listPage is like list, and also reports whether the response had a meta.
func listPage[T any](ctx context.Context, c *Client, call call) (*Page[T], bool, error) {
	page := new(Page[T])
	envelope := &paged[T]{page: page}
	if err := c.send(ctx, call, envelope); err != nil {
		return nil, false, err
	}
	return page, envelope.Meta.present, nil
}

// whole sends a call whose response is a complete list. It returns an error if
// the response is one of several pages.
func whole[T any](ctx context.Context, c *Client, call call) ([]*T, error) {
	page, err := list[T](ctx, c, call)
	switch {
	case err != nil:
		return nil, err
	case page.Meta.NextCursor != "" || page.Meta.Pages > 1 || page.Meta.Total > len(page.Items):
		return nil, &Error{Operation: call.op.String(), Code: CodeInternal, Message: fmt.Sprintf("the list is incomplete: received %d items", len(page.Items))}
	}
	return page.Items, nil
}

// all returns an iterator over all items of a list. Each range over it starts
// from the beginning.
func all[T any](ctx context.Context, c *Client, call call, params any) iter.Seq2[*T, error] {
	query, err := encodeQuery(params) // not in the iterator, because the caller may change params
	return eachItem(ctx, call.opts, err, func(ctx context.Context, prefetch int) iter.Seq[fetched[T]] {
		return newWalk[T](c, call, query).prefetch(ctx, prefetch)
	})
}

// fetched is the result of a request for a page.
type fetched[T any] struct {
	page     *Page[T]
	hasMeta  bool
	response Response
	err      error // returned instead of the items
	ends     error // returned after the items
}

// eachItem returns an iterator over the items of pages. It calls pages, with the
// number of [WithPrefetch], for each range.
func eachItem[T any](ctx context.Context, opts []RequestOption, err error, pages func(ctx context.Context, prefetch int) iter.Seq[fetched[T]]) iter.Seq2[*T, error] {
	options := newRequestOptions(opts)
	switch {
	case err != nil:
	case ctx == nil:
		err = invalid("ctx", "must not be nil; use context.Background")
	default:
		err = options.err
	}
	return func(yield func(*T, error) bool) {
		if err != nil {
			yield(nil, err)
			return
		}
		for f := range pages(ctx, options.prefetch) {
			if f.err != nil {
				yield(nil, f.err)
				return
			}
			if options.response != nil {
				*options.response = f.response
			}
			for _, item := range f.page.Items {
				if err := ctx.Err(); err != nil {
					yield(nil, err)
					return
				}
				if !yield(item, nil) {
					return
				}
			}
			if f.ends != nil {
				yield(nil, f.ends)
				return
			}
		}
	}
}

// ahead returns an iterator that prefetches up to n pages in a goroutine. The
// goroutine exits before the loop over the iterator does.
func ahead[T any](ctx context.Context, n int, pages func(context.Context) iter.Seq[fetched[T]]) iter.Seq[fetched[T]] {
	if n == 0 {
		return pages(ctx)
	}
	return func(yield func(fetched[T]) bool) {
		ctx, cancel := context.WithCancel(ctx)
		// send must not select on ctx.Done: the error of a canceled context is
		// also sent to the loop.
		ended := make(chan struct{})
		// The goroutine holds one page, and the channel buffers the others.
		queue := make(chan fetched[T], n-1)
		defer func() {
			close(ended)
			cancel()
			for range queue { // wait for the goroutine to close it
			}
		}()
		go func() {
			defer close(queue)
			send := func(f fetched[T]) bool {
				select {
				case queue <- f:
					return true
				case <-ended:
					return false
				}
			}
			err := recovered(func() error {
				for f := range pages(ctx) {
					if !send(f) {
						break
					}
				}
				return nil
			})
			if err != nil {
				send(fetched[T]{err: err})
			}
		}()
		for f := range queue {
			if !yield(f) {
				return
			}
		}
	}
}

// recovered calls fn and converts a panic to an error. It is for goroutines of
// this package, in which a panic, for example of the caller's transport, would
// crash the process.
func recovered(fn func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = &Error{Code: CodeInternal, Message: quote(fmt.Appendf(nil, "panic: %v", fault))}
		}
	}()
	return fn()
}
