package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// warmup is the part of a load's duration that it runs before it is measured.
const warmup = 10

// maxResponse is the maximum time for a response.
const maxResponse = 30 * time.Second

// run runs a load for a duration, and returns a sample of each side. The CPU time is
// that of the server for one request of any side.
func (c *child) run(ctx context.Context, l load, duration time.Duration) ([]sample, error) {
	callers, err := connect(ctx, &c.target, l)
	if err != nil {
		return nil, err
	}
	defer callers.close()
	if err := callers.call(ctx, duration/warmup); err != nil {
		return nil, err
	}
	before, err := c.CPU()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := callers.call(ctx, duration); err != nil {
		return nil, err
	}
	elapsed := time.Since(began)
	after, err := c.CPU()
	if err != nil {
		return nil, err
	}
	samples, requests := make([]sample, len(l)), 0
	for i := range l {
		took := callers.took(i)
		samples[i] = newSample(took, elapsed)
		requests += len(took)
	}
	if requests == 0 {
		return nil, errors.New("no request was completed")
	}
	for i := range samples {
		samples[i].cpu = (after - before) / time.Duration(requests)
	}
	return samples, nil
}

// caller is a connection of a side.
type caller struct {
	*connection

	side int
	took []time.Duration // of each request
	err  error
}

type callers []*caller

// connect opens the connections of a load.
func connect(ctx context.Context, t *target, l load) (all callers, err error) {
	for i, s := range l {
		for range s.connections {
			c, err := dial(ctx, t, s.op)
			if err != nil {
				all.close()
				return nil, err
			}
			all = append(all, &caller{connection: c, side: i})
		}
	}
	return all, nil
}

func (all callers) close() {
	for _, c := range all {
		c.close()
	}
}

// call lets each caller repeat its request for a duration. It forgets earlier calls.
func (all callers) call(ctx context.Context, duration time.Duration) error {
	end := time.Now().Add(duration)
	var calling sync.WaitGroup
	for _, c := range all {
		c.took = c.took[:0]
		calling.Go(func() { c.err = c.repeat(ctx, end) })
	}
	calling.Wait()
	for _, c := range all {
		if c.err != nil {
			return c.err
		}
	}
	return nil
}

func (c *caller) repeat(ctx context.Context, end time.Time) error {
	if err := c.conn.SetDeadline(end.Add(maxResponse)); err != nil {
		return err
	}
	for began := time.Now(); began.Before(end); {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := c.do(); err != nil {
			return err
		}
		now := time.Now()
		c.took = append(c.took, now.Sub(began))
		began = now
	}
	return nil
}

// took returns the durations of the requests of a side.
func (all callers) took(side int) (took []time.Duration) {
	for _, c := range all {
		if c.side == side {
			took = append(took, c.took...)
		}
	}
	slices.Sort(took)
	return took
}
