package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/promptrails-community/promptrails-go/internal/seal"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// resealBatch is the maximum number of values resealed in one transaction. It
// limits the time that other writers wait.
const resealBatch = 200

// Reseal seals all values under the current master key that are sealed under a
// previous key of the key ring. The proof is resealed last: after that, no value
// requires a previous key.
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
		return g.ReplaceSetting(store.MasterKeyProof, sealed, s.Ring.Seal(proofPlace, []byte(proof)))
	})
}

// resealColumn reseals the values of a column in one pass. It skips the values
// that cannot be opened and reports them in the returned error.
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
				place := seal.Place{Workspace: row.Workspace, Table: column.Table, Column: column.Name, Row: row.ID}
				plain, err := s.Ring.Open(place, row.Value)
				if err != nil {
					failed = append(failed, fmt.Errorf("%s.%s of the row %s: %w", column.Table, column.Name, row.ID, err))
					continue
				}
				if err := g.Replace(column, row, s.Ring.Seal(place, plain)); err != nil {
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

// resealOutcomes reseals the responses that are stored for replays. It deletes
// those that cannot be opened.
func (s *Service) resealOutcomes(ctx context.Context) error {
	for {
		var stale []store.SealedOutcome
		err := s.Store.Write(ctx, func(g *store.Global) (err error) {
			if stale, err = g.StaleOutcomes(s.Ring.Prefix(), resealBatch); err != nil {
				return err
			}
			for _, o := range stale {
				var sealed []byte
				if plain, err := s.Ring.Open(outcomePlace(o.Key), o.Body); err == nil {
					sealed = s.Ring.Seal(outcomePlace(o.Key), plain)
				}
				if err := g.ReplaceOutcome(o, sealed); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(stale) < resealBatch {
			return err
		}
	}
}
