package promptrails

import (
	"context"
	"iter"
)

// stretch is a range of sequences, inclusive at both ends.
type stretch struct{ from, to int64 }

func (s stretch) size() int64 { return s.to - s.from + 1 }

// parallel returns an iterator that reads the list in stretches, of which up to
// width are requested concurrently. Sequences have no gaps, so the bounds of
// each stretch are known in advance. The first page of a descending list is read
// separately, because it shows at which sequence the list begins.
func (r *entryReader) parallel(ctx context.Context, width int) iter.Seq[fetched[ChangelogEntry]] {
	return func(yield func(fetched[ChangelogEntry]) bool) {
		var head fetched[ChangelogEntry]
		if r.descending() {
			more := false
			head = guarded(func() (f fetched[ChangelogEntry]) {
				if f = r.fetch(ctx); f.err == nil {
					more, f.err = r.next(ctx, f)
				}
				return f
			})
			if !more || head.err != nil {
				yield(head)
				return
			}
		}
		stretches := newWindow(ctx, width, r.plan(), r.stretch)
		defer stretches.close()
		if r.descending() && !yield(head) {
			return
		}
		for {
			part, ok := stretches.key()
			if !ok {
				return
			}
			f := stretches.take()
			if !yield(f) || f.err != nil || int64(len(f.page.Items)) < part.size() {
				return
			}
		}
	}
}

// plan returns a function that returns the stretches in reading order, after the
// last entry that was received.
func (r *entryReader) plan() func() (stretch, bool) {
	size := int64(r.size.limit())
	if r.descending() {
		from, to := r.reached, r.last-1
		return func() (stretch, bool) {
			part := stretch{max(from, to-size+1), to}
			to -= size
			return part, part.size() > 0
		}
	}
	from, to := max(1, r.params.SequenceFrom), r.params.SequenceTo
	return func() (stretch, bool) {
		part := stretch{from, from + size - 1}
		if to != 0 {
			part.to = min(part.to, to)
		}
		from += size
		return part, part.size() > 0
	}
}

// stretch reads a whole stretch, in one or more pages.
func (r *entryReader) stretch(ctx context.Context, part stretch) fetched[ChangelogEntry] {
	p := r.params
	p.SequenceFrom, p.SequenceTo, p.After = part.from, part.to, ""
	p.Limit = int(part.size())
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
	if r.descending() && int64(len(whole.page.Items)) < part.size() {
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
