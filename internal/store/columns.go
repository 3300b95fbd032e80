package store

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// column is a column of a table, and the variable that its value is read into and
// written from.
type column struct {
	name  string
	value any // a pointer, or a wrapper of one such as stamp
	use   use
}

// use limits the statements that a column is a part of.
type use int

const (
	everywhere use = iota
	onceSet        // not in an UPDATE
	onlyRead       // only in a SELECT
)

// row is the columns of a row of a workspace, except for workspace_id in INSERT.
type row []column

// names returns the columns of a SELECT from a table with that alias.
func (r row) names(alias string) string {
	names := make([]string, len(r))
	for i, c := range r {
		names[i] = alias + "." + c.name
	}
	return strings.Join(names, ", ")
}

// into returns the destinations of a Scan of the same columns.
func (r row) into() []any {
	values := make([]any, len(r))
	for i, c := range r {
		values[i] = c.value
	}
	return values
}

// insert adds a row. More are columns that are never read.
func (t *Tx) insert(table string, r row, more ...column) error {
	names, places, args := "workspace_id", "$1", []any{}
	for _, c := range append(r, more...) {
		if c.use != onlyRead {
			args = append(args, c.value)
			names += ", " + c.name
			places += fmt.Sprintf(", $%d", len(args)+1)
		}
	}
	_, err := t.exec(scoped("INSERT INTO "+table+" ("+names+") VALUES ("+places+")"), args...)
	return err
}

// update stores the columns of the row with an id. More are columns that are never
// read. It returns ErrNotFound if there is no such row.
func (t *Tx) update(table, id string, r row, more ...column) error {
	set, args := []string{}, []any{id}
	for _, c := range append(r, more...) {
		if c.use == everywhere {
			args = append(args, c.value)
			set = append(set, fmt.Sprintf("%s = $%d", c.name, len(args)+1))
		}
	}
	return affected(t.exec(scoped("UPDATE "+table+" SET "+strings.Join(set, ", ")+" WHERE workspace_id = $1 AND id = $2"), args...))
}

// micros returns a time as it is stored: microseconds since 1970, and 0 for the
// zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// stamp is a time that is stored by [micros].
type stamp struct{ time *time.Time }

// Scan implements [sql.Scanner].
func (s stamp) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("store: a time is %T", v)
	}
	*s.time = time.Time{}
	if n != 0 {
		*s.time = time.UnixMicro(n).UTC()
	}
	return nil
}

// Value implements [driver.Valuer].
func (s stamp) Value() (driver.Value, error) { return micros(*s.time), nil }

// document is a value that is stored as JSON.
type document struct{ value any }

// Scan implements [sql.Scanner].
func (d document) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("store: JSON is %T", v)
	}
	return wire.Decode([]byte(text), d.value)
}

// Value implements [driver.Valuer].
func (d document) Value() (driver.Value, error) {
	text, err := wire.Encode(d.value)
	return string(text), err
}

// text is a []byte that is stored as text.
type text struct{ value *[]byte }

// Scan implements [sql.Scanner].
func (t text) Scan(v any) error {
	s, ok := v.(string)
	if *t.value = []byte(s); !ok {
		return fmt.Errorf("store: a text is %T", v)
	}
	return nil
}

// Value implements [driver.Valuer].
func (t text) Value() (driver.Value, error) { return string(*t.value), nil }

// flag returns a bool as it is stored: 1 or 0.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// switched is a bool that is stored by [flag], or a nullable one.
type switched[B bool | *bool] struct{ value *B }

// Scan implements [sql.Scanner].
func (s switched[B]) Scan(v any) error {
	switch to := any(s.value).(type) {
	case *bool:
		n, ok := v.(int64)
		if *to = n != 0; !ok {
			return fmt.Errorf("store: a bool is %T", v)
		}
	case **bool:
		*to = nil
		if n, ok := v.(int64); ok {
			*to = new(n != 0)
		}
	}
	return nil
}

// Value implements [driver.Valuer].
func (s switched[B]) Value() (driver.Value, error) {
	switch from := any(*s.value).(type) {
	case bool:
		return flag(from), nil
	case *bool:
		if from != nil {
			return flag(*from), nil
		}
	}
	return nil, nil //nolint:nilnil // NULL
}
