package embedded

import (
	"context"
	"fmt"

	"github.com/promptrails-community/promptrails-go/internal/service"
)

// ProblemKind is the kind of a problem that [Service.Check] has found.
type ProblemKind string

// The kinds of problems.
const (
	ProblemPages     ProblemKind = "pages"     // SQLite cannot read a part of the file, or an index differs from its table
	ProblemReference ProblemKind = "reference" // a row refers to a row that does not exist
	ProblemLookup    ProblemKind = "lookup"    // a row is not found by its key or token, slug, email address or user
	ProblemCounter   ProblemKind = "counter"   // a counter differs from the number of rows that it counts
	ProblemChangelog ProblemKind = "changelog" // the chain is broken, or a row differs from its entry
	ProblemSealed    ProblemKind = "sealed"    // an encrypted value cannot be opened
)

// Problem is a problem that [Service.Check] has found.
type Problem struct {
	Workspace string // the id; empty if the problem is in no workspace, or in all
	Kind      ProblemKind
	What      string // what differs, without secrets
	Mend      string // what to do
}

// CheckReport is the result of [Service.Check].
type CheckReport struct {
	Workspaces int64 // that were checked
	Entries    int64 // of changelogs that were verified
	Values     int64 // encrypted values that were opened
	// Problems has at most 1000 problems, and Omitted is the number of others.
	Problems []Problem
	Omitted  int64
}

// CheckProgress describes how far [Service.Check] is.
type CheckProgress struct {
	Stage string // pages, rows, values or workspaces, in this order
	Done  int64  // rows, values or workspaces of this stage
	Total int64  // of workspaces; 0: not known
}

// Check checks the stored data while the service runs: the chains of all changelogs,
// counters against the rows that they count, references between rows, the tables that
// find rows by a key, token, slug or email address, and whether the encrypted values can
// be opened with the master key. In SQLite it also runs the check of the file itself.
// It only reads, and does not delay writes: it reads in slices, and the rows that one
// counter counts in one transaction. The check of the pages of a database in memory
// delays writes.
//
// Problems in the data are in the report, and are not an error. Check returns an error
// if ctx has ended or the database cannot be used, with the report so far. If progress is
// not nil, Check calls it after each slice.
func (s *Service) Check(ctx context.Context, progress func(CheckProgress)) (*CheckReport, error) {
	found, err := s.service.Check(ctx, func(p service.CheckProgress) {
		if progress != nil {
			progress(CheckProgress(p))
		}
	})
	report := &CheckReport{Workspaces: found.Workspaces, Entries: found.Entries, Values: found.Values, Omitted: found.Omitted}
	for _, p := range found.Problems {
		report.Problems = append(report.Problems, Problem{p.Workspace, ProblemKind(p.Kind), p.What, p.Mend})
	}
	if err != nil {
		return report, fmt.Errorf("embedded: check: %w", err)
	}
	return report, nil
}
