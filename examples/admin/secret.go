package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// maxSecret is the maximum size of a secret, in bytes.
const maxSecret = 65536

// readSecret reads a secret from a file, or from stdin for "-". At a terminal, what is
// typed is not shown. A newline at the end is not part of the secret.
func (a *app) readSecret(name string) (promptrails.Secret, error) {
	text, err := a.readFile(name)
	if err != nil {
		return promptrails.Secret{}, err
	}
	if len(text) > maxSecret+2 {
		return promptrails.Secret{}, fmt.Errorf("the secret in %s has more than %d bytes", source(name), maxSecret)
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 {
		return promptrails.Secret{}, fmt.Errorf("the secret in %s is empty", source(name))
	}
	return promptrails.NewSecret(string(text)), nil
}

func (a *app) readFile(name string) ([]byte, error) {
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the file named by the user
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return io.ReadAll(io.LimitReader(file, maxSecret+3))
	}
	if terminal, ok := a.stdin.(*os.File); ok && isTerminal(terminal) {
		_, _ = fmt.Fprint(a.stderr, "Secret (not shown): ")
		text, err := term.ReadPassword(int(terminal.Fd()))
		_, _ = fmt.Fprintln(a.stderr)
		return text, err
	}
	return io.ReadAll(io.LimitReader(a.stdin, maxSecret+3))
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
	if name == "" || a.dryRun {
		return &output{app: a}, nil
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
	return errors.Join(err, o.file.Close())
}

// discard removes a file without a secret.
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
		if a.json && file == "" {
			return a.encode(minted{secret.Reveal(), item})
		}
		if secret.IsZero() { // a channel to Slack has no secret
			out.discard()
		} else if err := out.write(secret); err != nil {
			return fmt.Errorf("%w; the secret is lost: replace it", err)
		}
		if a.json {
			return a.encode(minted{Item: item})
		}
		return fields(a.stderr, item, columns)
	})
}

// secretFlag adds the flag for the file of a secret that is shown only once.
func secretFlag(cmd *cobra.Command, file *string, name string) {
	cmd.Flags().StringVar(file, "out", "", "write the "+name+" to this new `file` instead of stdout")
}
