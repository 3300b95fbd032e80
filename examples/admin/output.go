package main

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// color is a code of the terminal, or empty.
type color string

// The colors.
const (
	bold   color = "1"
	dim    color = "2"
	red    color = "31"
	green  color = "32"
	yellow color = "33"
	cyan   color = "36"
)

// colored reports whether a file shows colors: a terminal does, unless NO_COLOR is set
// (no-color.org).
func colored(f *os.File) bool {
	return isTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// paint returns text in a color.
func paint(on bool, c color, text string) string {
	if !on || c == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// cell is a cell of a table.
type cell struct {
	text  string
	color color
}

// column is a column of a table of items.
type column[T any] struct {
	title string
	cell  func(*T) cell
}

// text returns a column of plain text.
func text[T any](title string, value func(*T) string) column[T] {
	return column[T]{title, func(item *T) cell { return cell{text: value(item)} }}
}

// list prints items as a table, or as JSON Lines.
func list[T any](a *app, items iter.Seq2[*T, error], columns []column[T]) error {
	t := &table{out: a.stdout, colored: colored(a.stdout)}
	if !a.json {
		t.row(titles(columns)...)
	}
	for item, err := range items {
		if err == nil && a.json {
			err = a.encode(item)
		} else if err == nil {
			t.row(cells(item, columns)...)
		}
		if err != nil || t.err != nil {
			return errors.Join(t.flush(), err)
		}
	}
	return t.flush()
}

// show prints an item, as a table or as JSON.
func show[T any](a *app, item *T, columns []column[T]) error {
	if a.json {
		return a.encode(item)
	}
	return fields(a.stdout, item, columns)
}

// fields prints an item as a table with a row for each field.
func fields[T any](out *os.File, item *T, columns []column[T]) error {
	t := &table{out: out, colored: colored(out)}
	for i, value := range cells(item, columns) {
		t.row(cell{columns[i].title, bold}, value)
	}
	return t.flush()
}

func (a *app) encode(value any) error {
	content, err := json.Marshal(value)
	if err == nil {
		_, err = a.stdout.Write(append(content, '\n'))
		err = written(err)
	}
	return err
}

// outputError is a failure to write a result. The command itself has succeeded.
type outputError struct{ error }

func (e outputError) Unwrap() error { return e.error }

// written returns the error of a write as an outputError, or nil.
func written(err error) error {
	if err != nil {
		return outputError{err}
	}
	return nil
}

func titles[T any](columns []column[T]) (row []cell) {
	for _, c := range columns {
		row = append(row, cell{c.title, bold})
	}
	return row
}

func cells[T any](item *T, columns []column[T]) (row []cell) {
	for _, c := range columns {
		row = append(row, c.cell(item))
	}
	return row
}

// tableRows is the number of rows that a table aligns at a time.
const tableRows = 100

// table prints rows with aligned columns. It holds at most tableRows of them.
type table struct {
	out     io.Writer
	colored bool
	rows    [][]cell
	widths  []int // of the columns so far
	err     error
}

func (t *table) row(row ...cell) {
	for i := range row {
		row[i].text = printable(row[i].text)
	}
	if t.rows = append(t.rows, row); len(t.rows) == tableRows {
		t.err = t.flush()
	}
}

// flush prints the rows. Cells are padded by their width on a terminal, on which some
// characters have two columns.
func (t *table) flush() error {
	for _, row := range t.rows {
		for i, c := range row {
			if i == len(t.widths) {
				t.widths = append(t.widths, 0)
			}
			t.widths[i] = max(t.widths[i], uniseg.StringWidth(c.text))
		}
	}
	var b strings.Builder
	for _, row := range t.rows {
		gap := 0 // before the next cell that is not empty
		for i, c := range row {
			if c.text != "" {
				b.WriteString(strings.Repeat(" ", gap) + paint(t.colored, c.color, c.text))
				gap = 0
			}
			gap += t.widths[i] - uniseg.StringWidth(c.text) + 2
		}
		b.WriteByte('\n')
	}
	t.rows = nil
	if t.err == nil {
		_, err := io.WriteString(t.out, b.String())
		t.err = written(err)
	}
	return t.err
}

// printable escapes what is not graphic, so that a name that someone else has chosen cannot
// send control sequences to the terminal.
func printable(text string) string {
	quoted := strconv.QuoteToGraphic(text)
	return unescaped.Replace(quoted[1 : len(quoted)-1])
}

// unescaped are the graphic characters that a quoted text escapes.
var unescaped = strings.NewReplacer(`\"`, `"`, `\\`, `\`)

// moment returns a time in UTC, to the minute.
func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func optional(b *bool) string {
	if b == nil {
		return "unknown"
	}
	return strconv.FormatBool(*b)
}
