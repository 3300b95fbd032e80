package promptrails

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
)

// stretch is a run of sequences, both ends inclusive.
type stretch struct{ from, to int64 }

// stretches returns a changelog, or a part of it, in pages that are asked for at
// once: sequences have no gaps, so that it is known where each begins. At most
// width + 1 pages are held.
func (s *ChangelogService) stretches(ctx context.Context, p ListChangelogParams, width int, opts []RequestOption) iter.Seq2[*ChangelogEntry, error] {
	options := newRequestOptions(opts)
	return func(yield func(*ChangelogEntry, error) bool) {
		if options.err != nil {
			yield(nil, options.err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		var running sync.WaitGroup
		defer running.Wait()
		defer cancel()
		next, err := s.plan(ctx, &p)
		if err != nil {
			yield(nil, err)
			return
		}
		var ahead []<-chan fetched[ChangelogEntry]
		var of []stretch
		for {
			for len(ahead) <= width {
				part, ok := next()
				if !ok {
					break
				}
				page := make(chan fetched[ChangelogEntry], 1)
				running.Go(func() { page <- s.fetch(ctx, p, part, opts) })
				ahead, of = append(ahead, page), append(of, part)
			}
			if len(ahead) == 0 {
				return
			}
			f, part := <-ahead[0], of[0]
			ahead, of = ahead[1:], of[1:]
			if f.err != nil {
				yield(nil, f.err)
				return
			}
			if options.response != nil {
				*options.response = f.response
			}
			for i, entry := range f.page.Items {
				if err := ctx.Err(); err != nil {
					yield(nil, err)
					return
				}
				if want := part.at(i, p.Order); entry.Sequence != want {
					yield(nil, &ChainError{want, fmt.Sprintf("the server answered with the entry %d in its place", entry.Sequence)})
					return
				}
				if !yield(entry, nil) {
					return
				}
			}
			if int64(len(f.page.Items)) <= part.to-part.from {
				return // the end, which is not known before
			}
		}
	}
}

// at is the sequence that stands at an index of a stretch.
func (r stretch) at(i int, order Order) int64 {
	if order == OrderAscending {
		return r.from + int64(i)
	}
	return r.to - int64(i)
}

// plan returns the stretches in the order in which they are to be read. Newest
// first, they begin at the head, which it asks for.
func (s *ChangelogService) plan(ctx context.Context, p *ListChangelogParams) (next func() (stretch, bool), err error) {
	size := int64(p.Limit)
	if size == 0 {
		size = pageSize
	}
	from, to := max(1, p.SequenceFrom), p.SequenceTo
	if p.Order == OrderAscending {
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
	head, err := s.Head(ctx)
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

func (s *ChangelogService) fetch(ctx context.Context, p ListChangelogParams, part stretch, opts []RequestOption) (f fetched[ChangelogEntry]) {
	p.SequenceFrom, p.SequenceTo, p.Limit = part.from, part.to, int(part.to-part.from+1)
	f.page, f.err = s.List(ctx, &p, append(slices.Clip(opts), WithResponse(&f.response))...)
	return f
}

// whole reports whether the parameters narrow a changelog by nothing but
// sequences, so that its stretches have no gaps.
func (p ListChangelogParams) whole() bool {
	if p.Limit < 0 || p.SequenceFrom < 0 || p.SequenceTo < 0 {
		return false // the server says what is wrong
	}
	p.Limit, p.Order, p.SequenceFrom, p.SequenceTo = 0, "", 0, 0
	return p == ListChangelogParams{}
}
