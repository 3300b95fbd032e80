package store

import (
	"errors"
	"fmt"
	"strings"
)

// Fold returns an email address in the form used for comparison, with ASCII
// letters in lower case.
func Fold(address string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, address)
}

// searchable returns the text that the query q of a list is matched against.
func searchable(parts ...string) string { return strings.ToLower(strings.Join(parts, "\n")) }

// Position is the position of the last item of a page. Lists are ordered by time
// and id, or by sequence.
type Position struct {
	At int64 // microseconds, or the sequence
	ID string
}

// Paging selects a part of a list.
type Paging struct {
	Limit  int
	Offset int       // for page numbers
	After  *Position // for cursors
	Size   *PageSize // for lists of documents
}

// PageSize limits the total size of the documents in a page.
type PageSize struct {
	Left int  // bytes
	Full bool // the page has fewer rows than its limit, and more rows follow
	any  bool
}

// errPageFull stops the reading of rows.
var errPageFull = errors.New("store: the page is full")

// take adds a document to the page, or returns errPageFull if it does not fit.
// The first document always fits. A nil PageSize has no limit.
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

// filter collects the conditions of a list. Each ? is replaced by one argument.
type filter struct {
	sql  strings.Builder
	args []any
	base int // the number of preceding arguments
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

// andText adds a condition unless value is empty.
func (f *filter) andText(condition, value string) {
	if value != "" {
		f.and(condition, value)
	}
}

// andSearch adds the condition that a searchable column contains q, unless q is
// empty.
func (f *filter) andSearch(column, q string) {
	if q != "" {
		escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(q))
		f.and(column+` LIKE ? ESCAPE '\'`, "%"+escaped+"%")
	}
}

// narrowed reports whether the filter has conditions.
func (f *filter) narrowed() bool { return len(f.args) > 0 }

// page returns the end of a list's SQL: the conditions, the order and the limit.
// The limit is one row more than the page has, to find out whether more follow.
func (f *filter) page(p Paging, at, id string) string {
	return f.ordered(p, at, id, "<", " DESC")
}

// ascending is page for a list in ascending order.
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
