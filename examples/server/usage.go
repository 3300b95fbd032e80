package main

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// usage prints the description of the program.
func (p *program) usage(w io.Writer) {
	var text strings.Builder
	text.WriteString(`Server serves the PromptRails workspace API, and stores its data in a database.

Usage:
  server [flags]            serve until SIGINT or SIGTERM
  server [flags] -check     check the stored data
  server [flags] -backup FILE
  server [flags] COMMAND

Commands, which can be used while the server is running:
`)
	for _, c := range commands {
		fmt.Fprintf(&text, "  %-26s%s\n", c.name+" "+c.args, c.about)
	}
	text.WriteString("\nA flag takes precedence over its environment variable, which is in parentheses.\n")
	for _, g := range new(settings).groups() {
		fmt.Fprintf(&text, "\n%s:\n", g.title)
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		g.flags(flags)
		flags.VisitAll(func(f *flag.Flag) { describe(&text, f, g.env) })
	}
	text.WriteString(`
The exit code is 0 for success, 1 for a failure or for problems that -check has found,
and 2 for invalid arguments or settings.
`)
	_, _ = io.WriteString(w, text.String())
}

// describe prints a flag, its environment variable, default and description.
func describe(text *strings.Builder, f *flag.Flag, env bool) {
	value, about := flag.UnquoteUsage(f)
	fmt.Fprintf(text, "  -%s", f.Name)
	if value != "" {
		fmt.Fprintf(text, " %s", strings.ToUpper(value))
	}
	if env {
		fmt.Fprintf(text, " (%s)", variable(f.Name))
	}
	text.WriteByte('\n')
	if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" {
		about += fmt.Sprintf(" (default %s)", f.DefValue)
	}
	const indent, width = "        ", 88
	line := indent
	for word := range strings.FieldsSeq(about) {
		if len(line)+len(word) > width {
			text.WriteString(strings.TrimRight(line, " ") + "\n")
			line = indent
		}
		line += word + " "
	}
	text.WriteString(strings.TrimRight(line, " ") + "\n")
}
