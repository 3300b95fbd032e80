package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/changelog"
)

// The filters by time find the entries with these times, even if the clock was set
// back. Small differences between the clocks of processes are corrected.
func TestChangelogByTime(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, open func(t *testing.T) *Store) {
		s := open(t)
		n := 0
		rapid.Check(t, func(r *rapid.T) {
			n++
			id := fmt.Sprint("w", n)
			steps := rapid.SliceOfN(rapid.SampledFrom([]time.Duration{0, time.Second, time.Hour, -time.Second, -maxSkew, -maxSkew - time.Second, -24 * time.Hour}), 0, 12).Draw(r, "steps")
			at, previous := moment, time.Time{}
			var times []time.Time
			err := s.Write(t.Context(), func(g *Global) error {
				at, previous, times = moment, time.Time{}, nil
				x, err := g.CreateWorkspace(&promptrails.Workspace{ID: id, Slug: id, Plan: "pro"}, changelog.Genesis(id), time.Time{})
				if err != nil {
					return err
				}
				for i, step := range steps {
					at = at.Add(step)
					e := &changelog.Entry{ID: fmt.Sprint(i), OccurredAt: at}
					if err := x.Append(e); err != nil {
						return err
					}
					want := at
					if late := previous.Sub(at); late > 0 && late <= maxSkew {
						want = previous
					}
					if !e.OccurredAt.Equal(want) {
						r.Errorf("time of entry %d: got %s, want %s", i, e.OccurredAt, want)
					}
					previous = want
					times = append(times, want)
				}
				return nil
			})
			if err != nil {
				r.Fatal(err)
			}
			edges := append([]time.Time{{}, moment.Add(-48 * time.Hour), moment.Add(48 * time.Hour)}, times...)
			by := &ChangelogFilter{Since: rapid.SampledFrom(edges).Draw(r, "since"), Until: rapid.SampledFrom(edges).Draw(r, "until"), Ascending: rapid.Bool().Draw(r, "ascending")}
			var want []int64
			for i, at := range times {
				if (by.Since.IsZero() || !at.Before(by.Since)) && (by.Until.IsZero() || at.Before(by.Until)) {
					want = append(want, int64(i+1))
				}
			}
			var got []int64
			err = s.Read(t.Context(), func(g *Global) error {
				page, err := g.Workspace(id).Changelog(by, Paging{Limit: 100, Bounds: NewBounds()})
				for _, d := range page {
					got = append(got, d.Sequence)
				}
				return err
			})
			if !by.Ascending {
				slices.Reverse(got)
			}
			if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
				r.Errorf("sequences of %+v: got %v, %v, want %v", by, got, err, want)
			}
		})
	})
}
