package store

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ErrTooFar is returned for a page number that cannot be reached by reading a
// bounded number of rows.
var ErrTooFar = errors.New("store: the page is too far from the start of the list")

// Uncounted is the total of a list with conditions that has more rows than are
// counted.
const Uncounted = -1

// Bounds limits the rows that are read for one page, in addition to the rows of
// the page.
type Bounds struct {
	Counted int       // for the total of a list with conditions
	Scanned int       // to compare them with conditions that no index serves
	Skipped int       // entries of an index, to reach a page by its number
	End     *Position // set if rows follow the last one that was scanned
}

// NewBounds returns the bounds of a list.
func NewBounds() *Bounds { return &Bounds{Counted: 1000, Scanned: 500, Skipped: 100_000} }

// list is what the SQL of a list's pages has in common.
type list struct {
	rows      string // FROM and WHERE
	args      []any  // of rows, after $1
	at, id    string // the columns of the order; id is empty for a sequence
	ascending bool
	total     func() (int, error) // without conditions; nil: the list has no totals
	workspace string              // of the rows; empty for the workspaces of a user
}

// pageOf is [Global.pageOf] for a list of the workspace.
func (t *Tx) pageOf(l *list, f *filter, p Paging) (from scoped, total int, err error) {
	l.workspace = t.workspace
	text, total, err := t.global.pageOf(t.workspace, l, f, p)
	return scoped(text), total, err
}

// pageOf returns the SQL of a page from FROM on, and the number of rows of the
// list: Uncounted if they are too many, and 0 if p has a cursor. The arguments are
// l.args and f.args, after first, which is $1.
//
// A page by number is converted to one that starts at a position, which is found by
// reading only an index. If there are conditions that no index serves, the page has
// the matching ones of a bounded number of rows.
func (g *Global) pageOf(first string, l *list, f *filter, p Paging) (from string, total int, err error) {
	bounds := p.Bounds
	if bounds == nil {
		bounds = &Bounds{Counted: math.MaxInt32, Skipped: math.MaxInt32}
	}
	served, narrowed, scans := f.copy(), f.narrowed(), len(f.scanned) > 0
	fits := f.settle()
	var end *Position
	if scans && bounds.Scanned > 0 {
		if end, err = g.scanEnd(first, l, served.copy(), p, bounds.Scanned); err != nil {
			return "", 0, err
		}
	}
	switch {
	case p.After != nil || l.total == nil: // no total
	case end != nil:
		total = Uncounted
	case scans:
		total, err = g.countUpTo(first, l, fits, f, math.MaxInt32)
	case narrowed:
		total, err = g.countUpTo(first, l, "", f, bounds.Counted)
	default:
		total, err = l.total()
	}
	switch {
	case err != nil:
		return "", 0, err
	case p.Offset == 0:
	case end != nil:
		return "", 0, ErrTooFar
	case scans: // there are few rows
	default:
		start, err := g.skip(first, l, served, p.Offset, total, bounds.Skipped)
		if err != nil {
			return "", 0, err
		}
		if p.Offset = 0; start == nil {
			p.Limit = -1 // the page is empty
		} else {
			f.and(l.compared("<="), l.position(start)...)
		}
	}
	if p.After != nil {
		f.and(l.compared("<"), l.position(p.After)...)
	}
	if end == nil {
		return l.rows + f.sql.String() + fits + l.order(false) + f.limit(p), total, nil
	}
	bounds.End = end
	return l.scanned(fits, f, p, bounds.Scanned), total, nil
}

// scanned returns the SQL of the rows that fit among the next ones of the list. The
// inner SELECT reads the list's index and only the columns that are compared.
func (l *list) scanned(fits string, f *filter, p Paging, most int) string {
	found := &list{at: "x.at", ascending: l.ascending}
	columns, same := l.at+" AS at", l.at+" = x.at"
	if l.id != "" {
		found.id = "x.id"
		columns, same = columns+", "+l.id+" AS id", l.id+" = x.id"
	}
	next := "SELECT " + columns + ", CASE WHEN " + strings.TrimPrefix(fits, " AND ") + " THEN 1 ELSE 0 END AS fits " +
		l.rows + f.sql.String() + l.order(false) + f.limit(Paging{Limit: most - 1})
	return "FROM (" + next + ") x CROSS JOIN " + strings.TrimPrefix(l.rows, "FROM ") + " AND " + same + " AND x.fits = 1" + found.order(false) + f.limit(p)
}

// scanEnd returns the position of the last row that the conditions of a page are
// compared with, or nil if that is the last row of the list.
func (g *Global) scanEnd(first string, l *list, f *filter, p Paging, scanned int) (*Position, error) {
	if p.After != nil {
		f.and(l.compared("<"), l.position(p.After)...)
	}
	found, err := g.positions(first, l, f, false, Paging{Limit: 1, Offset: scanned - 1})
	if len(found) < 2 {
		return nil, err
	}
	return &found[0], err
}

// skip returns the position of the row after the first offset rows, or nil if there
// is no such row. It reads from the end of the list if that is nearer.
func (g *Global) skip(first string, l *list, f *filter, offset, total, most int) (*Position, error) {
	known := l.total != nil && total != Uncounted
	if known && offset >= total {
		return nil, nil //nolint:nilnil // there is no such row
	}
	backwards := known && total-1-offset < offset
	if backwards {
		offset = total - 1 - offset
	}
	if offset > most {
		return nil, ErrTooFar
	}
	found, err := g.positions(first, l, f, backwards, Paging{Offset: offset})
	if len(found) == 0 {
		return nil, err
	}
	return &found[0], err
}

// positions returns the positions of p.Limit+1 rows, or fewer if the list has fewer.
func (g *Global) positions(first string, l *list, f *filter, backwards bool, p Paging) (found []Position, err error) {
	id := l.id
	if id == "" {
		id = "''"
	}
	query := "SELECT " + l.at + ", " + id + " " + l.rows + f.sql.String() + l.order(backwards) + f.limit(p)
	err = g.rowsIn(l.workspace, query, l.arguments(first, f), func(r scanner) error {
		var at Position
		err := r.Scan(&at.At, &at.ID)
		found = append(found, at)
		return err
	})
	return found, err
}

// countUpTo returns the number of rows, or Uncounted if there are more than most.
func (g *Global) countUpTo(first string, l *list, fits string, f *filter, most int) (n int, err error) {
	f = f.copy()
	limit := f.limit(Paging{Limit: most})
	err = g.rowIn(l.workspace, "SELECT count(*) FROM (SELECT 1 "+l.rows+f.sql.String()+fits+l.order(false)+limit+") x", l.arguments(first, f), []any{&n})
	if n > most {
		n = Uncounted
	}
	return n, err
}

func (l *list) arguments(first string, f *filter) []any {
	return slices.Concat([]any{first}, l.args, f.args)
}

// compared returns the condition that a row is beyond a position, for the
// operators of a list in descending order.
func (l *list) compared(operator string) string {
	if l.ascending {
		operator = map[string]string{"<": ">", "<=": ">=", ">=": "<="}[operator]
	}
	if l.id == "" {
		return l.at + " " + operator + " ?"
	}
	return "(" + l.at + ", " + l.id + ") " + operator + " (?, ?)"
}

// position returns the arguments of compared.
func (l *list) position(p *Position) []any {
	if l.id == "" {
		return []any{p.At}
	}
	return []any{p.At, p.ID}
}

func (l *list) order(backwards bool) string {
	direction := " DESC"
	if l.ascending != backwards {
		direction = ""
	}
	if l.id == "" {
		return " ORDER BY " + l.at + direction
	}
	return fmt.Sprintf(" ORDER BY %s%s, %s%s", l.at, direction, l.id, direction)
}
