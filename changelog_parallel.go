package promptrails

import (
	"context"
	"iter"
	"slices"
)

// stretch is a range of sequences, inclusive at both ends.
type stretch struct{ from, to int64 }

// parallel returns an iterator that reads the list in stretches, which are
// requested concurrently. Sequences have no gaps, so the bounds of each stretch
// are known in advance. At most width + 1 stretches are buffered.
func (r *entryReader) parallel(width int) func(context.Context) iter.Seq[fetched[ChangelogEntry]] {
	return func(ctx context.Context) iter.Seq[fetched[ChangelogEntry]] {
		return func(yield func(fetched[ChangelogEntry]) bool) {
			ctx, cancel := context.WithCancel(ctx)
			var running []<-chan fetched[ChangelogEntry]
			defer func() {
				cancel()
				for _, page := range running { // wait for the goroutines
					<-page
				}
			}()
			next, err := r.plan(ctx)
			if err != nil {
				yield(fetched[ChangelogEntry]{err: err})
				return
			}
			var parts []stretch
			for {
				for len(running) <= width {
					part, ok := next()
					if !ok {
						break
					}
					running, parts = append(running, r.start(ctx, part)), append(parts, part)
				}
				if len(running) == 0 {
					return
				}
				f, part := <-running[0], parts[0]
				running, parts = running[1:], parts[1:]
				if !yield(f) || f.err != nil {
					return
				}
				if int64(len(f.page.Items)) <= part.to-part.from {
					return // the end of the list
				}
			}
		}
	}
}

// plan returns a function that returns the stretches in reading order. For a
// descending list it requests the head, at which the first stretch begins.
func (r *entryReader) plan(ctx context.Context) (next func() (stretch, bool), err error) {
	p, size := r.params, int64(r.size.limit())
	from, to := max(1, p.SequenceFrom), p.SequenceTo
	if !r.descending() {
		return func() (stretch, bool) {
			if to != 0 && from > to {
				return stretch{}, false
			}
			part := stretch{from, from + size - 1}
			if to != 0 {
				part.to = min(part.to, to)
			}
			from += size
			return part, true
		}, nil
	}
	head, err := r.service.Head(ctx, append(slices.Clip(r.opts), WithResponse(nil))...)
	if err != nil {
		return nil, err
	}
	if to == 0 || to > head.Sequence {
		to = head.Sequence
	}
	return func() (stretch, bool) {
		if to < from {
			return stretch{}, false
		}
		part := stretch{max(from, to-size+1), to}
		to -= size
		return part, true
	}, nil
}

// start reads a stretch in a goroutine.
func (r *entryReader) start(ctx context.Context, part stretch) <-chan fetched[ChangelogEntry] {
	done := make(chan fetched[ChangelogEntry], 1)
	go func() {
		var whole fetched[ChangelogEntry]
		err := recovered(func() error {
			whole = r.stretch(ctx, part)
			return nil
		})
		if err != nil {
			whole.err = err
		}
		done <- whole
	}()
	return done
}

// stretch reads a whole stretch, in one or more pages.
func (r *entryReader) stretch(ctx context.Context, part stretch) fetched[ChangelogEntry] {
	p := r.params
	p.SequenceFrom, p.SequenceTo = part.from, part.to
	p.Limit = int(part.to - part.from + 1)
	reader := r.service.reader(p, r.opts)
	reader.size = r.size.upTo(p.Limit)
	var whole fetched[ChangelogEntry]
	for f := range reader.pages(ctx) {
		if f.err != nil {
			return f
		}
		if whole.page == nil {
			whole = f
			continue
		}
		whole.page.Items = append(whole.page.Items, f.page.Items...)
	}
	if r.descending() && int64(len(whole.page.Items)) <= part.to-part.from {
		whole.err = &ChainError{part.to - int64(len(whole.page.Items)), "the server did not return this entry"}
	}
	return whole
}

// whole reports whether the list is filtered by sequence only and so has no
// gaps.
func (p ListChangelogParams) whole() bool {
	p.Limit, p.Order, p.SequenceFrom, p.SequenceTo = 0, "", 0, 0
	return p == ListChangelogParams{}
}
