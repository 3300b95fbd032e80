package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// maxSecret is the maximum size of a file with a secret, in bytes.
const maxSecret = 65536 + 2 // and a newline

// readSecret reads a secret from a file, or from stdin for "-". At a terminal, what is
// typed is not shown. A newline at the end is not part of the secret.
func (a *app) readSecret(name string) (promptrails.Secret, error) {
	text, err := a.readSecretText(name)
	if err != nil {
		return promptrails.Secret{}, err
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 {
		return promptrails.Secret{}, fmt.Errorf("the secret in %s is empty", source(name))
	}
	return promptrails.NewSecret(string(text)), nil
}

func (a *app) readSecretText(name string) ([]byte, error) {
	terminal, ok := a.stdin.(*os.File)
	if name != "-" || !ok || !isTerminal(terminal) {
		return a.readFile(name, maxSecret)
	}
	var typed []byte // also written after an interruption
	err := a.prompt(terminal, "Secret (not shown): ", func() (err error) {
		typed, err = term.ReadPassword(int(terminal.Fd()))
		_, _ = fmt.Fprintln(a.stderr)
		return err
	})
	if err != nil {
		return nil, err
	}
	return typed, nil
}

// prompt calls read, which waits for a person. After an interruption it
// returns, and the terminal is as before.
func (a *app) prompt(terminal *os.File, text string, read func() error) error {
	state, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return err
	}
	_, _ = fmt.Fprint(a.stderr, text)
	done := make(chan error, 1)
	go func() { done <- read() }()
	select {
	case err = <-done:
		return err
	case <-a.interrupted:
		_, _ = fmt.Fprintln(a.stderr)
		return errors.Join(context.Canceled, term.Restore(int(terminal.Fd()), state))
	}
}

// readFile reads a file of at most so many bytes, or stdin for "-", which can be read once.
func (a *app) readFile(name string, most int64) (text []byte, err error) {
	in := a.stdin
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the file named by the user
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	} else if a.stdinRead {
		return nil, usagef("stdin cannot be read twice: name a file in place of one -")
	} else {
		a.stdinRead = true
	}
	text, err = io.ReadAll(io.LimitReader(in, most+1))
	if int64(len(text)) > most {
		return nil, fmt.Errorf("%s has more than %d bytes", source(name), most)
	}
	return text, err
}

func source(name string) string {
	if name == "-" {
		return "stdin"
	}
	return name
}

// output is a new file for a secret that is shown only once. It is created before the
// secret, so that a secret is not made without a place for it.
type output struct {
	app  *app
	file *os.File // nil: stdout
}

// newOutput creates a file that only its owner can read, and that must not exist. An
// empty name is stdout.
func (a *app) newOutput(name string) (*output, error) {
	if err := a.lasting(); err != nil || name == "" {
		return &output{app: a}, err
	}
	if _, err := os.Lstat(name); a.dryRun && errors.Is(err, os.ErrNotExist) {
		_, err = os.Stat(filepath.Dir(name))
		return &output{app: a}, err
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the file named by the user
	if errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("%s exists: name a new file, because the secret in it may be in use", name)
	}
	if err != nil {
		return nil, err
	}
	return &output{a, file}, nil
}

// write writes the secret to the file, or to stdout.
func (o *output) write(secret promptrails.Secret) error {
	if o.file == nil {
		_, err := fmt.Fprintln(o.app.stdout, secret.Reveal())
		return err
	}
	_, err := fmt.Fprintln(o.file, secret.Reveal())
	if err == nil {
		err = o.file.Sync()
	}
	if err = errors.Join(err, o.file.Close()); err != nil {
		o.discard()
	}
	return err
}

// discard removes a file without a secret that can be used.
func (o *output) discard() {
	if o.file != nil {
		_ = o.file.Close()
		_ = os.Remove(o.file.Name())
	}
}

// minted is what --json prints of a change that returns a secret.
type minted struct {
	Secret string `json:"secret,omitempty"` // empty if it is in a file
	Item   any    `json:"item"`
}

// mint makes a change that returns a secret, and writes the secret to a new file, or to
// stdout if file is empty. The item with the secret is shown on stderr.
func mint[T any](a *app, change, file string, columns []column[T], do func() (*T, promptrails.Secret, error)) error {
	out, err := a.newOutput(file)
	if err != nil {
		return err
	}
	return a.change(change, func() error {
		item, secret, err := do()
		if err != nil {
			out.discard()
			return err
		}
		result := minted{Item: item}
		switch {
		case secret.IsZero(): // a channel to Slack has no secret
			out.discard()
		case a.json && file == "":
			result.Secret = secret.Reveal()
		default:
			err = lost(out.write(secret))
		}
		if a.json && err == nil {
			err = a.encode(result)
			if result.Secret != "" {
				err = lost(err)
			}
		}
		if !a.json || err != nil { // after an error, this identifies what to replace
			_ = fields(a.stderr, item, columns)
		}
		return err
	})
}

// lost returns the error of a write of a secret, which cannot be read again.
func lost(err error) error {
	if err != nil {
		err = outputError{fmt.Errorf("%w; the secret is lost: replace it", err)}
	}
	return err
}

// secretFlag adds the flag for the file of a secret that is shown only once.
func secretFlag(cmd *cobra.Command, file *string, name string) {
	cmd.Flags().StringVar(file, "out", "", "write the "+name+" to this new `file` instead of stdout")
}
