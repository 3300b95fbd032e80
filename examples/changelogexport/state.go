package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/natefinch/atomic"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// state is the progress of an export. It is stored in a file next to the output,
// which is replaced atomically.
type state struct {
	Format string                    `json:"format"`
	Head   promptrails.ChangelogHead `json:"head"` // the last entry verified and written
	Size   int64                     `json:"size"` // bytes of output up to and including that entry
}

// stateFile returns the name of the state file for the output file out.
func stateFile(out string) string { return out + ".state" }

// readState returns the saved state, or a new one if neither a state file nor
// any output exists.
func readState(out string) (*state, error) {
	text, err := os.ReadFile(stateFile(out))
	if errors.Is(err, fs.ErrNotExist) {
		if info, err := os.Stat(out); err == nil && info.Size() > 0 {
			return nil, fmt.Errorf("%s exists, but its state file %s does not: use another output file", out, stateFile(out))
		}
		return &state{}, nil
	}
	if err != nil {
		return nil, err
	}
	s := new(state)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("reading %s: %w", stateFile(out), err)
	}
	return s, nil
}

// save replaces the state file of the output file out.
func (s *state) save(out string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return atomic.WriteFile(stateFile(out), bytes.NewReader(append(text, '\n')))
}

// openAt opens the output file and truncates it to size, the number of bytes in
// its state. The entries after that are exported again.
func openAt(out string, size int64) (*os.File, error) {
	file, err := os.OpenFile(out, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the file named by the user
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Size() < size {
		err = fmt.Errorf("%s was truncated: it has %d bytes, but %s records %d", out, info.Size(), stateFile(out), size)
	}
	if err == nil {
		err = file.Truncate(size)
	}
	if err == nil {
		_, err = file.Seek(size, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
