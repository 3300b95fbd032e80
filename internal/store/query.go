package store

import (
	"errors"
	"fmt"
	"slices"
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
	Bounds *Bounds   // nil: all rows are read
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
	sql     strings.Builder
	args    []any
	base    int         // the number of preceding arguments
	scanned []condition // that no index serves
}

type condition struct {
	sql  string
	args []any
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

// equal adds the condition that a column has a value, unless value is empty. An
// index serves the first condition of a filter; the others are scanned.
func (f *filter) equal(column, value string) {
	if f.narrowed() {
		f.scanEqual(column, value)
		return
	}
	f.andText(column+" = ?", value)
}

// scanEqual is equal for a column without an index.
func (f *filter) scanEqual(column, value string) {
	if value != "" {
		f.scan(column+" = ?", value)
	}
}

// scan adds a condition that no index serves.
func (f *filter) scan(sql string, args ...any) {
	f.scanned = append(f.scanned, condition{sql, args})
}

// scanSearch adds the condition that a searchable column contains q, unless q is
// empty.
func (f *filter) scanSearch(column, q string) {
	if q != "" {
		escaped := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(q))
		f.scan(column+` LIKE ? ESCAPE '\'`, "%"+escaped+"%")
	}
}

// settle numbers the scanned conditions, and returns them. No index of their
// columns can serve them in this form. The database would otherwise be free to use
// one that does not have the order of the list.
func (f *filter) settle() string {
	whole := f.sql.String()
	f.sql.Reset()
	for _, c := range f.scanned {
		f.and("CASE WHEN "+c.sql+" THEN 1 ELSE 0 END = 1", c.args...)
	}
	fits := f.sql.String()
	f.sql.Reset()
	f.sql.WriteString(whole)
	f.scanned = nil
	return fits
}

// copy returns a copy without the scanned conditions.
func (f *filter) copy() *filter {
	c := &filter{args: slices.Clone(f.args), base: f.base}
	c.sql.WriteString(f.sql.String())
	return c
}

// narrowed reports whether the filter has conditions that an index serves.
func (f *filter) narrowed() bool { return len(f.args) > 0 }

// limit returns the limit of a page. It is one row more than the page has, to find
// out whether more follow.
func (f *filter) limit(p Paging) string {
	f.args = append(f.args, p.Limit+1)
	s := fmt.Sprintf(" LIMIT $%d", f.base+len(f.args))
	if p.Offset > 0 {
		f.args = append(f.args, p.Offset)
		s += fmt.Sprintf(" OFFSET $%d", f.base+len(f.args))
	}
	return s
}
