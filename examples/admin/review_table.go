package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rivo/uniseg"
	"golang.org/x/term"

	"github.com/promptrails-community/promptrails-go/review"
)

var severityColors = map[review.Severity]color{review.SeverityHigh: red, review.SeverityMedium: yellow, review.SeverityLow: cyan}

// paper prints the findings of workspaces for people.
type paper struct {
	out     io.Writer
	colored bool
	width   int // of a line; 0 is any
}

// width returns the number of columns of a terminal, or 0.
func width(f *os.File) int {
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
		return columns
	}
	return 0
}

func (p *paper) line(text string) error {
	_, err := fmt.Fprintln(p.out, text)
	return err
}

func (p *paper) workspace(w *review.Workspace) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, plan %s\n", paint(p.colored, bold, printable(w.Info.Name)+" ("+printable(w.Info.Slug)+")"), printable(string(w.Info.Plan)))
	for _, f := range w.Findings {
		p.entry(&b, string(f.Severity), severityColors[f.Severity], f.Message)
		if command := mend(f); command != "" {
			fmt.Fprintf(&b, "%11s%s\n", "", paint(p.colored, dim, command))
		}
	}
	for _, g := range w.Gaps {
		p.entry(&b, "not read", yellow, string(g.Section)+": "+reason(g))
	}
	return p.line(b.String())
}

// reason returns why a section could not be read.
func reason(g review.Gap) string {
	switch {
	case g.Scope != "":
		return "requires the scope " + string(g.Scope)
	case g.Role != "":
		return "requires the role " + string(g.Role)
	default:
		return strings.TrimPrefix(g.Message, "promptrails: ")
	}
}

// entry prints a label and a text, whose lines begin at the same column.
func (p *paper) entry(b *strings.Builder, label string, c color, text string) {
	const indent = 11
	fmt.Fprintf(b, "  %s", paint(p.colored, c, label))
	column := 2 + len(label)
	gap := indent - column
	for word := range strings.FieldsSeq(printable(text)) {
		n := uniseg.StringWidth(word)
		if p.width > 0 && column+gap+n > p.width && column > indent {
			b.WriteByte('\n')
			column, gap = 0, indent
		}
		b.WriteString(strings.Repeat(" ", gap) + word)
		column, gap = column+gap+n, 1
	}
	b.WriteByte('\n')
}
