package main

import (
	"context"
	"runtime"
)

// heapPoints is the number of points of an iteration at which the heap is measured.
const heapPoints = 5

// heaps are sizes of the heap during an iteration over n items, after a collection.
type heaps struct {
	n       int
	iterate func(ctx context.Context, each func()) error

	grown []float64 // bytes above the size before the iteration
}

func (h *heaps) measure(ctx context.Context) error {
	start, read, every := heapSize(), 0, h.n/(heapPoints+1)
	return h.iterate(ctx, func() {
		if read++; read%max(1, every) == 0 && len(h.grown) < heapPoints {
			h.grown = append(h.grown, heapSize()-start)
		}
	})
}

// heapSize returns the size of the heap after a collection. The first collection
// clears pools, and the second releases their objects.
func heapSize() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}
