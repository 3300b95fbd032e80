package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/promptrails-community/promptrails-go/embedded"
)

// checkData checks the stored data. It prints the problems on stdout, and its progress
// on stderr if that is a terminal.
func (p *program) checkData(ctx context.Context) error {
	return p.with(ctx, false, func(service *embedded.Service) error {
		report, err := service.Check(ctx, p.progress())
		if isTerminal(p.stderr) {
			_, _ = fmt.Fprint(p.stderr, "\r\x1b[K")
		}
		for _, found := range report.Problems {
			_, printErr := fmt.Fprintln(p.stdout, line([]string{string(found.Kind), found.Workspace, found.What, found.Mend}))
			err = errors.Join(err, printErr)
		}
		if err != nil {
			return err
		}
		p.log.InfoContext(ctx, "checked", "workspaces", report.Workspaces, "changelog_entries", report.Entries, "encrypted_values", report.Values)
		if n := int64(len(report.Problems)) + report.Omitted; n > 0 {
			return fmt.Errorf("%d problems, of which %d are printed", n, len(report.Problems))
		}
		return nil
	})
}

// progress returns a function that shows how far a check is, or nil.
func (p *program) progress() func(embedded.CheckProgress) {
	if !isTerminal(p.stderr) {
		return nil
	}
	return func(c embedded.CheckProgress) {
		of := ""
		if c.Total > 0 {
			of = fmt.Sprintf(" of %d", c.Total)
		}
		_, _ = fmt.Fprintf(p.stderr, "\r\x1b[K%s: %d%s", c.Stage, c.Done, of)
	}
}

// backUp writes a copy of the database to a new file. The file exists only if the copy
// is complete.
func (p *program) backUp(ctx context.Context) error {
	if _, err := os.Lstat(p.backup); err == nil {
		return existsError(p.backup)
	}
	return p.with(ctx, false, func(service *embedded.Service) (err error) {
		draft, err := os.CreateTemp(filepath.Dir(p.backup), filepath.Base(p.backup)+".*") // with mode 0600
		if err != nil {
			return fmt.Errorf("-backup: %w", err)
		}
		backup, err := service.Backup(ctx, draft)
		if err == nil {
			err = draft.Sync()
		}
		if err = errors.Join(err, draft.Close()); err == nil {
			err = publish(draft.Name(), p.backup)
		}
		if err != nil {
			return errors.Join(err, removeIfThere(draft.Name()))
		}
		p.log.InfoContext(ctx, "backed up; the copy can only be opened with the same master key", "file", p.backup, "bytes", backup.Bytes, "changes_before", backup.At)
		return nil
	})
}

// publish gives a file its name, unless that exists. A link refuses an existing name; a
// file system without links has a moment between the check and the rename.
func publish(draft, name string) error {
	err := os.Link(draft, name)
	if err == nil {
		return os.Remove(draft)
	}
	if _, e := os.Lstat(name); !errors.Is(e, fs.ErrNotExist) {
		return existsError(name)
	}
	return os.Rename(draft, name)
}

func existsError(name string) error {
	return fmt.Errorf("-backup: %s exists, and is not overwritten", name)
}

func removeIfThere(name string) error {
	if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
