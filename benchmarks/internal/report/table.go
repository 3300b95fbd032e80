// Package report prints measurements as Markdown.
package report

import (
	"fmt"
	"io"
	"strings"
)

// Table is a Markdown table.
type Table struct {
	Columns []string
	rows    [][]string
}

// Add adds a row.
func (t *Table) Add(cells ...string) { t.rows = append(t.rows, cells) }

// Print writes the table under a heading. It omits a table without rows.
func (t *Table) Print(w io.Writer, heading string) error {
	if len(t.rows) == 0 {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "### %s\n\n| %s |\n|%s\n", heading, strings.Join(t.Columns, " | "), strings.Repeat("---|", len(t.Columns)))
	for _, row := range t.rows {
		fmt.Fprintf(&text, "| %s |\n", strings.Join(row, " | "))
	}
	_, err := fmt.Fprintln(w, text.String())
	return err
}
