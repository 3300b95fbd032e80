package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/promptrails-community/promptrails-go/internal/seal"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// resealBatch is how many values move in one transaction: other writers wait
// for no more than that.
const resealBatch = 200

// Reseal moves everything that is sealed under a previous master key to the
// current one. The proof goes last: as long as it needs a previous key, so may
// something else.
func (s *Service) Reseal(ctx context.Context) error {
	faults := []error{s.resealOutcomes(ctx)}
	for _, column := range store.SealedColumns() {
		faults = append(faults, s.resealColumn(ctx, column))
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	return s.Store.Write(ctx, func(g *store.Global) error {
		sealed, err := g.Setting(store.MasterKeyProof)
		if err != nil || bytes.HasPrefix(sealed, s.Ring.Prefix()) {
			return err
		}
		if err := ProveKey(s.Ring, sealed); err != nil {
			return err
		}
		return g.SetSetting(store.MasterKeyProof, s.Ring.Seal(proofPlace, []byte(proof)))
	})
}

// resealColumn passes over each value once, and over those that do not open,
// which it names in the end.
func (s *Service) resealColumn(ctx context.Context, column store.SealedColumn) error {
	var broken []error
	var last store.SealedRow
	for {
		var rows []store.SealedRow
		var failed []error
		err := s.Store.Write(ctx, func(g *store.Global) (err error) {
			failed = nil
			if rows, err = g.Stale(column, s.Ring.Prefix(), last, resealBatch); err != nil {
				return err
			}
			for _, row := range rows {
				at := seal.Place{Workspace: row.Workspace, Table: column.Table, Column: column.Name, Row: row.ID}
				plain, err := s.Ring.Open(at, row.Value)
				if err != nil {
					failed = append(failed, fmt.Errorf("%s.%s of the row %s: %w", column.Table, column.Name, row.ID, err))
					continue
				}
				row.Value = s.Ring.Seal(at, plain)
				if err := g.Replace(column, row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		broken = append(broken, failed...)
		if len(rows) < resealBatch {
			return errors.Join(broken...)
		}
		last = rows[len(rows)-1]
	}
}

// resealOutcomes moves the answers that are kept for replays. One that does not
// open is of no use to anybody, and is dropped.
func (s *Service) resealOutcomes(ctx context.Context) error {
	for {
		var keys []store.OutcomeKey
		err := s.Store.Write(ctx, func(g *store.Global) (err error) {
			if keys, err = g.StaleOutcomes(s.Ring.Prefix(), resealBatch); err != nil {
				return err
			}
			for _, key := range keys {
				o, err := g.Outcome(key)
				if err != nil {
					return err
				}
				plain, err := s.Ring.Open(outcomePlace(key), o.Body)
				o.Body = nil
				if err == nil {
					o.Body = s.Ring.Seal(outcomePlace(key), plain)
				}
				if err := g.SaveOutcome(key, o); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(keys) < resealBatch {
			return err
		}
	}
}
