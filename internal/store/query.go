package store

import (
	"errors"
	"fmt"
	"strings"
)

// Fold returns an address as it is compared: ASCII letters folded, nothing
// else.
func Fold(address string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, address)
}

// searchable returns the text that a list's q is looked for in.
func searchable(parts ...string) string { return strings.ToLower(strings.Join(parts, "\n")) }

// Position is where a page ends: the order of a list is by time and id, or by
// sequence.
type Position struct {
	At int64 // microseconds, or the sequence
	ID string
}

// Paging is which part of a list to read.
type Paging struct {
	Limit  int
	Offset int       // for page numbers
	After  *Position // for cursors
	Size   *PageSize // of a list of documents
}

// PageSize bounds a page of documents by their bytes.
type PageSize struct {
	Left int  // bytes
	Full bool // the page ends before its limit, and more rows follow
	any  bool
}

// errPageFull ends the reading of rows.
var errPageFull = errors.New("store: the page is full")

// take counts a document. A page has at least one, whatever its size; a nil
// PageSize has no bound.
func (s *PageSize) take(bytes int) error {
	if s == nil {
		return nil
	}
	if s.Left -= bytes; s.Left < 0 && s.any {
		s.Full = true
		return errPageFull
	}
	s.any = true
	return nil
}

// filter gathers the conditions of a list. Each ? stands for one argument.
type filter struct {
	sql  strings.Builder
	args []any
	base int // arguments that stand before
}

func (f *filter) and(condition string, args ...any) {
	f.sql.WriteString(" AND ")
	for _, arg := range args {
		before, after, _ := strings.Cut(condition, "?")
		f.args = append(f.args, arg)
		fmt.Fprintf(&f.sql, "%s$%d", before, f.base+len(f.args))
		condition = after
	}
	f.sql.WriteString(condition)
}

// andText adds a condition for a text that is given.
func (f *filter) andText(condition, value string) {
	if value != "" {
		f.and(condition, value)
	}
}

// andSearch looks for q in a searchable column.
func (f *filter) andSearch(column, q string) {
	if q != "" {
		escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(q))
		f.and(column+` LIKE ? ESCAPE '\'`, "%"+escaped+"%")
	}
}

// narrowed reports whether there is any condition.
func (f *filter) narrowed() bool { return len(f.args) > 0 }

// page ends a list's SQL: the position, the order, and one row more than the
// page has, to tell whether it is the last.
func (f *filter) page(p Paging, at, id string) string {
	return f.ordered(p, at, id, "<", " DESC")
}

// ascending is page for a list whose lowest row is first.
func (f *filter) ascending(p Paging, at, id string) string {
	return f.ordered(p, at, id, ">", "")
}

func (f *filter) ordered(p Paging, at, id, beyond, direction string) string {
	if p.After != nil {
		f.and("("+at+", "+id+") "+beyond+" (?, ?)", p.After.At, p.After.ID)
	}
	return f.sql.String() + " ORDER BY " + at + direction + ", " + id + direction + f.limit(p)
}

func (f *filter) limit(p Paging) string {
	f.args = append(f.args, p.Limit+1)
	s := fmt.Sprintf(" LIMIT $%d", f.base+len(f.args))
	if p.Offset > 0 {
		f.args = append(f.args, p.Offset)
		s += fmt.Sprintf(" OFFSET $%d", f.base+len(f.args))
	}
	return s
}
