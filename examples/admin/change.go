package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"
)

// change makes a change, which text describes as a command: "rename the workspace
// research". With --dry-run it prints the change instead.
func (a *app) change(text string, do func() error) error {
	if a.dryRun {
		_, err := fmt.Fprintf(a.stdout, "would %s\n", text)
		return err
	}
	if err := do(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.stderr, "%s: done\n", capital(text))
	return nil
}

// destroy is like change, for a change that cannot be undone: it asks for confirmation
// first.
func (a *app) destroy(text string, do func() error) error {
	if !a.dryRun && !a.yes {
		if err := a.confirm(text); err != nil {
			return err
		}
	}
	return a.change(text, do)
}

func (a *app) confirm(text string) error {
	terminal, ok := a.stdin.(*os.File)
	if !ok || !isTerminal(terminal) {
		return usagef("%s: confirm it with --yes", text)
	}
	_, _ = fmt.Fprintf(a.stderr, "%s? [y/N] ", capital(text))
	reply, _ := bufio.NewReader(a.stdin).ReadString('\n')
	if reply = strings.ToLower(strings.TrimSpace(reply)); reply != "y" && reply != "yes" {
		return fmt.Errorf("not confirmed: %s", text)
	}
	return nil
}

func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
