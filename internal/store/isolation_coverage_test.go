package store

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// isolation_test.go tests every method of Tx, and every table of workspaces' rows.
func TestIsolationCoversEachMethodAndTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("isolation_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for method := range reflect.TypeFor[*Tx]().Methods() {
		if !strings.Contains(string(text), "x."+method.Name+"(") {
			t.Errorf("Tx.%s: got no call in isolation_test.go, want one in fill, TestWritesStayInTheirWorkspace or TestReadsStayInTheirWorkspace", method.Name)
		}
	}
	s := opened(t, "")
	found, err := s.sqlite().reader.QueryContext(t.Context(), `SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND c.name = 'workspace_id'`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = found.Close() }()
	global := []string{"outcomes"} // requests may be in no workspace
	for found.Next() {
		var table string
		if err := found.Scan(&table); err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(global, table) && !strings.Contains(string(text), `"`+table+`"`) {
			t.Errorf("table %s: got no rows of it in isolation_test.go, want it in fill and rows", table)
		}
	}
	if err := found.Err(); err != nil {
		t.Error(err)
	}
}

// sqlite returns the SQLite database of a store.
func (s *Store) sqlite() *sqliteDB { return s.engine.(*sqliteDB) }
