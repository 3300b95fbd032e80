package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// change makes a change, which text describes as a command: "rename the workspace
// research". With --dry-run it prints the change instead.
func (a *app) change(text string, do func() error) error {
	text = printable(text)
	if a.dryRun && a.json {
		return a.encode(map[string]string{"would": text})
	}
	if a.dryRun {
		_, err := fmt.Fprintf(a.stdout, "would %s\n", text)
		return err
	}
	if err := a.lasting(); err != nil {
		return err
	}
	// A pipe that is closed is an error, so that the rest of the change is made, or undone.
	// It does not end the program, as it does while a list is printed.
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)
	err := do()
	if _, ok := errors.AsType[outputError](err); ok {
		return fmt.Errorf("%s: done, but its result could not be written: %w", capital(text), err)
	}
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(a.stderr, "%s: done\n", capital(text))
	return nil
}

// settings returns the flags of a command that are set, as the text of a change.
func settings(cmd *cobra.Command) string {
	var set []string
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed {
			set = append(set, f.Name+" "+f.Value.String())
		}
	})
	return strings.Join(set, ", ")
}

// destroy is like change, for a change that cannot be undone: it asks for confirmation
// first.
func (a *app) destroy(text string, do func() error) error {
	if err := a.lasting(); err != nil {
		return err
	}
	if !a.dryRun && !a.yes {
		if err := a.confirm(text); err != nil {
			return err
		}
	}
	return a.change(text, do)
}

// lasting returns an error if the data is in memory, where a change would be lost.
func (a *app) lasting() error {
	if a.service == nil || a.demo != "" || a.dryRun {
		return nil
	}
	return usagef("the sample data is in memory, and a change would be lost: keep it with --demo FILE, or set --url and a token or key")
}

func (a *app) confirm(text string) error {
	text = printable(text)
	terminal, ok := a.stdin.(*os.File)
	if !ok || !isTerminal(terminal) {
		return usagef("%s: confirm it with --yes", text)
	}
	var reply string
	err := a.prompt(terminal, capital(text)+"? [y/N] ", func() error {
		reply, _ = bufio.NewReader(terminal).ReadString('\n') // the end of the input is a no
		return nil
	})
	if err != nil {
		return err
	}
	if reply = strings.ToLower(strings.TrimSpace(reply)); reply != "y" && reply != "yes" {
		return fmt.Errorf("not confirmed: %s", text)
	}
	return nil
}

func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(first)) + text[size:]
}
