package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/promptrails-community/promptrails-go/internal/seal"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// CheckReport is the result of [Service.Check].
type CheckReport struct {
	Workspaces, Entries, Values int64
	Problems                    []CheckProblem
	Omitted                     int64
}

// CheckProblem is a problem of the stored data.
type CheckProblem struct{ Workspace, Kind, What, Mend string }

// CheckProgress describes how far [Service.Check] is.
type CheckProgress struct {
	Stage       string
	Done, Total int64
}

// The kinds of problems.
const (
	problemPages     = "pages"
	problemReference = "reference"
	problemLookup    = "lookup"
	problemCounter   = "counter"
	problemChangelog = "changelog"
	problemSealed    = "sealed"
)

// The limits of a check.
const (
	maxProblems = 1000
	checkSlice  = 500     // rows that are read in one transaction
	checkBytes  = 4 << 20 // of entries that are read in one transaction
)

// How problems are mended.
const (
	mendRestore = "restore a backup"
	mendPages   = "restore a backup; if only an index is named, REINDEX rebuilds it from its table"
	mendRow     = "find out which statement changed the rows, and restore a backup, or repair the row by SQL while no process uses the database"
	mendCounter = "set the counter to the counted number by SQL"
	mendSealed  = "open the service with the previous master key in PreviousMasterKeys, if the value was sealed under it; otherwise set the value again"
	mendOutcome = "none is necessary: the response to the idempotency key is lost, and is deleted a day after the request"
)

// checker is a running check.
type checker struct {
	service  *Service
	report   *CheckReport
	progress func(CheckProgress)
	total    int64 // workspaces
}

// Check checks the stored data. It returns the report so far if it returns an error.
func (s *Service) Check(ctx context.Context, progress func(CheckProgress)) (*CheckReport, error) {
	c := &checker{service: s, report: new(CheckReport), progress: progress}
	for _, stage := range []func(context.Context) error{c.pages, c.rows, c.values, c.workspaces} {
		if err := stage(ctx); err != nil {
			return c.report, err
		}
	}
	return c.report, nil
}

// found adds a problem to the report.
func (c *checker) found(p CheckProblem) {
	if len(c.report.Problems) >= maxProblems {
		c.report.Omitted++
		return
	}
	c.report.Problems = append(c.report.Problems, p)
}

// read runs fn in a read transaction. If the database cannot read its files, that is a
// problem and not an error, and read reports false.
func (c *checker) read(ctx context.Context, workspace, what string, fn func(*store.Global) error) (ok bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	err = c.service.Store.Read(ctx, fn)
	if errors.Is(err, store.ErrDamaged) {
		c.found(CheckProblem{workspace, problemPages, fmt.Sprintf("%s: cannot be read: %v", what, err), mendPages})
		return false, nil
	}
	return err == nil, err
}

// pages checks the database's file.
func (c *checker) pages(ctx context.Context) error {
	c.progress(CheckProgress{Stage: "pages"})
	faults, err := c.service.Store.CheckPages(ctx)
	if ended := ctx.Err(); ended != nil { // SQLite was interrupted
		return ended
	}
	if errors.Is(err, store.ErrDamaged) {
		faults, err = append(faults, err.Error()), nil
	}
	for _, fault := range faults {
		c.found(CheckProblem{Kind: problemPages, What: fault, Mend: mendPages})
	}
	return err
}

// rows checks the rules of rows, and the numbers of the workspaces of users.
func (c *checker) rows(ctx context.Context) error {
	done := int64(0)
	for _, rule := range store.Rules() {
		kind := problemReference
		if rule.IsLookup {
			kind = problemLookup
		}
		var last []any
		for more := true; more; more = last != nil {
			var broken []store.Broken
			var read int
			ok, err := c.read(ctx, "", rule.Table, func(g *store.Global) error {
				var err error
				broken, read, last, err = g.Breaks(&rule, last, checkSlice)
				return err
			})
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			for _, b := range broken {
				c.found(CheckProblem{b.Workspace, kind, b.What, mendRow})
			}
			done += int64(read)
			c.progress(CheckProgress{Stage: "rows", Done: done})
		}
	}
	return c.users(ctx, done)
}

func (c *checker) users(ctx context.Context, done int64) error {
	for last := ""; ; {
		var counts []store.UserCount
		ok, err := c.read(ctx, "", "users", func(g *store.Global) (err error) {
			counts, err = g.UserCounts(last, checkSlice)
			return err
		})
		if err != nil || !ok || len(counts) == 0 {
			return err
		}
		for _, u := range counts {
			if u.Stored != u.Counted {
				c.found(CheckProblem{"", problemCounter, fmt.Sprintf("users: workspace_count of the user %s is %d, and %d were counted", u.ID, u.Stored, u.Counted), mendCounter})
			}
		}
		last = counts[len(counts)-1].ID
		done += int64(len(counts))
		c.progress(CheckProgress{Stage: "rows", Done: done})
	}
}

// values opens the sealed values.
func (c *checker) values(ctx context.Context) error {
	var sealed []byte
	ok, err := c.read(ctx, "", "settings", func(g *store.Global) (err error) {
		if sealed, err = g.Setting(store.MasterKeyProof); errors.Is(err, store.ErrNotFound) {
			sealed, err = nil, nil
		}
		return err
	})
	if err != nil {
		return err
	}
	if ok && (sealed == nil || ProveKey(c.service.Ring, sealed) != nil) {
		c.found(CheckProblem{"", problemSealed, "settings: the proof of the master key is missing or cannot be opened", mendRestore})
	}
	c.opened(1)
	for _, column := range store.SealedColumns() {
		if err := c.column(ctx, column); err != nil {
			return err
		}
	}
	return c.outcomes(ctx)
}

func (c *checker) column(ctx context.Context, column store.SealedColumn) error {
	for last := (store.SealedRow{}); ; {
		var rows []store.SealedRow
		ok, err := c.read(ctx, "", column.Table, func(g *store.Global) (err error) {
			rows, err = g.Sealed(column, last, resealBatch)
			return err
		})
		if err != nil || !ok || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			place := seal.Place{Workspace: row.Workspace, Table: column.Table, Column: column.Name, Row: row.ID}
			if _, err := c.service.Ring.Open(place, row.Value); err != nil {
				c.found(CheckProblem{row.Workspace, problemSealed, fmt.Sprintf("%s.%s of the row %s: %v", column.Table, column.Name, row.ID, err), mendSealed})
			}
		}
		last = store.SealedRow{Workspace: rows[len(rows)-1].Workspace, ID: rows[len(rows)-1].ID}
		c.opened(len(rows))
	}
}

func (c *checker) outcomes(ctx context.Context) error {
	for last := (store.OutcomeKey{}); ; {
		var rows []store.SealedOutcome
		ok, err := c.read(ctx, "", "outcomes", func(g *store.Global) (err error) {
			rows, err = g.SealedOutcomes(last, resealBatch)
			return err
		})
		if err != nil || !ok || len(rows) == 0 {
			return err
		}
		for _, o := range rows {
			if _, err := c.service.Ring.Open(outcomePlace(o.Key), o.Body); err != nil {
				c.found(CheckProblem{o.Key.Workspace, problemSealed, fmt.Sprintf("outcomes.body of a request of %s: %v", o.Key.Principal, err), mendOutcome})
			}
		}
		last = rows[len(rows)-1].Key
		c.opened(len(rows))
	}
}

func (c *checker) opened(n int) {
	c.report.Values += int64(n)
	c.progress(CheckProgress{Stage: "values", Done: c.report.Values})
}

// workspaces checks the counters and the changelog of each workspace.
func (c *checker) workspaces(ctx context.Context) error {
	for last := ""; ; {
		var ids []string
		ok, err := c.read(ctx, "", "workspaces", func(g *store.Global) (err error) {
			if c.total, err = g.CountWorkspaces(); err == nil {
				ids, err = g.WorkspaceIDs(last, checkSlice)
			}
			return err
		})
		if err != nil || !ok || len(ids) == 0 {
			return err
		}
		for _, id := range ids {
			if err := c.counters(ctx, id); err != nil {
				return err
			}
			if err := c.changelog(ctx, id); err != nil {
				return err
			}
			c.report.Workspaces++
			c.progress(CheckProgress{"workspaces", c.report.Workspaces, c.total})
		}
		last = ids[len(ids)-1]
	}
}

// counters compares the counters of a workspace in one snapshot.
func (c *checker) counters(ctx context.Context, workspace string) error {
	var stored, counted map[string]int
	ok, err := c.read(ctx, workspace, "counters", func(g *store.Global) (err error) {
		x := g.Workspace(workspace)
		if stored, err = x.Counters(); err == nil {
			counted, err = x.Recount()
		}
		return err
	})
	if err != nil || !ok {
		return err
	}
	names := maps.Clone(stored)
	maps.Copy(names, counted)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if stored[name] != counted[name] {
			c.found(CheckProblem{workspace, problemCounter, fmt.Sprintf("%s: is stored as %d, and %d was counted", name, stored[name], counted[name]), mendCounter})
		}
	}
	return nil
}
