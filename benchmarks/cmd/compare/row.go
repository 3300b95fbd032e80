package main

import (
	"context"
	"log"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"sync"
	"time"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/process"
)

// call is one call of a client. It checks the result.
type call func(context.Context) error

// row is a client that is compared with its floor.
type row struct {
	task    task
	client  string
	size    int  // of the document, or the number of items of an iteration
	workers int  // number of goroutines; 0: 1
	batch   int  // number of calls between two looks at the clock; 0: 1
	floor   call // nil: the client is measured by itself
	own     call
	heap    *heaps // instead of calls

	floors, owns []sample // of each round
}

// task is a table.
type task string

// The tasks.
const (
	taskGet     task = "get"
	taskList    task = "list"
	taskWorkers task = "goroutines"
	taskIterate task = "iterate"
	taskLatency task = "latency"
	taskHeap    task = "heap"
	taskLocal   task = "local"
)

// workers is the number of goroutines of taskWorkers.
const workers = 64

func (r *row) name() string { return string(r.task) + "/" + r.client }

// selected returns the rows that match an expression.
func selected(rows []*row, only *regexp.Regexp) []*row {
	return slices.DeleteFunc(rows, func(r *row) bool { return !only.MatchString(r.name()) })
}

// sample is the cost of one call.
type sample struct {
	wall, cpu     float64 // in nanoseconds
	allocs, bytes float64
}

// measureRows measures each row in each round. The side that is measured first
// alternates.
func measureRows(ctx context.Context, rows []*row, o *options) error {
	for round := range o.rounds {
		log.Printf("round %d of %d", round+1, o.rounds)
		for _, r := range rows {
			if r.heap != nil {
				if round == 0 {
					if err := r.heap.measure(ctx); err != nil {
						return err
					}
				}
				continue
			}
			if err := r.measure(ctx, round, o.perSide); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *row) measure(ctx context.Context, round int, perSide time.Duration) error {
	sides := []struct {
		name    string
		call    call
		samples *[]sample
	}{{"floor", r.floor, &r.floors}, {"client", r.own, &r.owns}}
	if round%2 == 1 {
		slices.Reverse(sides)
	}
	for _, side := range sides {
		if side.call == nil {
			continue
		}
		var s sample
		var err error
		pprof.Do(ctx, pprof.Labels("row", r.name(), "side", side.name), func(ctx context.Context) {
			s, err = r.sample(ctx, side.call, perSide)
		})
		if err != nil {
			return err
		}
		*side.samples = append(*side.samples, s)
	}
	return nil
}

// sample repeats a call for a duration, after a warm-up of a tenth of it.
func (r *row) sample(ctx context.Context, c call, duration time.Duration) (sample, error) {
	if _, err := r.repeat(ctx, c, duration/10); err != nil {
		return sample{}, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpuBefore, err := process.CPUTime()
	if err != nil {
		return sample{}, err
	}
	began := time.Now()
	calls, err := r.repeat(ctx, c, duration)
	if err != nil {
		return sample{}, err
	}
	wall := time.Since(began)
	cpuAfter, err := process.CPUTime()
	if err != nil {
		return sample{}, err
	}
	runtime.ReadMemStats(&after)
	n := float64(calls)
	return sample{
		wall: float64(wall) / n, cpu: float64(cpuAfter-cpuBefore) / n,
		allocs: float64(after.Mallocs-before.Mallocs) / n, bytes: float64(after.TotalAlloc-before.TotalAlloc) / n,
	}, nil
}

// repeat repeats a call in all workers for a duration, at least once in each, and
// returns the number of calls.
func (r *row) repeat(ctx context.Context, c call, duration time.Duration) (calls int, err error) {
	if r.workers < 2 {
		return repeat(ctx, c, r.batch, duration)
	}
	var (
		running sync.WaitGroup
		mu      sync.Mutex
	)
	for range r.workers {
		running.Go(func() {
			n, e := repeat(ctx, c, r.batch, duration)
			mu.Lock()
			defer mu.Unlock()
			calls += n
			if err == nil {
				err = e
			}
		})
	}
	running.Wait()
	return calls, err
}

func repeat(ctx context.Context, c call, batch int, duration time.Duration) (calls int, err error) {
	batch = max(1, batch)
	for end := time.Now().Add(duration); ; {
		for range batch {
			if err := c(ctx); err != nil {
				return calls, err
			}
		}
		calls += batch
		if !time.Now().Before(end) {
			return calls, nil
		}
	}
}
