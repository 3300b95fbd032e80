package promptrails

import "context"

// window requests pages concurrently and returns them in order. While take waits
// for a page, up to width following ones are requested as well. It is not safe for
// concurrent use.
type window[K comparable, T any] struct {
	width   int
	next    func() (K, bool)          // the key of the next page to request
	start   func(K) <-chan fetched[T] // requests a page
	running []pending[K, T]           // in the order of next
	cancel  func()
}

// pending is a page that was requested.
type pending[K comparable, T any] struct {
	key  K
	page <-chan fetched[T]
}

// newWindow starts to request the pages whose keys next returns.
func newWindow[K comparable, T any](ctx context.Context, width int, next func() (K, bool), fetch func(context.Context, K) fetched[T]) *window[K, T] {
	ctx, cancel := context.WithCancel(ctx) //nolint:gosec // close calls it
	start := func(key K) <-chan fetched[T] {
		page := make(chan fetched[T], 1)
		go func() { page <- guarded(func() fetched[T] { return fetch(ctx, key) }) }()
		return page
	}
	w := &window[K, T]{width: width, next: next, start: start, cancel: cancel}
	w.fill(width)
	return w
}

// fill requests pages until n are running.
func (w *window[K, T]) fill(n int) {
	for len(w.running) < n {
		key, ok := w.next()
		if !ok {
			return
		}
		w.running = append(w.running, pending[K, T]{key, w.start(key)})
	}
}

// key returns the key of the next page. It reports false after the last page.
func (w *window[K, T]) key() (key K, ok bool) {
	if len(w.running) == 0 {
		return key, false
	}
	return w.running[0].key, true
}

// take waits for the next page and returns it.
func (w *window[K, T]) take() fetched[T] {
	w.fill(w.width + 1)
	f := <-w.running[0].page
	w.running = w.running[1:]
	return f
}

// close cancels the requests and waits for their goroutines.
func (w *window[K, T]) close() {
	w.cancel()
	for _, p := range w.running {
		<-p.page
	}
	w.running = nil
}

// guarded calls fetch and converts a panic to an error.
func guarded[T any](fetch func() fetched[T]) (f fetched[T]) {
	if err := recovered(func() error { f = fetch(); return nil }); err != nil {
		return fetched[T]{err: err}
	}
	return f
}
