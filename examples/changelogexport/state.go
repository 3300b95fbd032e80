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

// state is how far an export has come: kept beside it, and always whole.
type state struct {
	Format string                    `json:"format"`
	Head   promptrails.ChangelogHead `json:"head"` // of the last entry that was verified and written
	Size   int64                     `json:"size"` // of the output behind it, in bytes
}

func stateFile(out string) string { return out + ".state" }

func readState(out string) (*state, error) {
	text, err := os.ReadFile(stateFile(out))
	if errors.Is(err, fs.ErrNotExist) {
		if info, err := os.Stat(out); err == nil && info.Size() > 0 {
			return nil, fmt.Errorf("%s is there, and no %s to go on from: give another file", out, stateFile(out))
		}
		return &state{}, nil
	}
	if err != nil {
		return nil, err
	}
	s := new(state)
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", stateFile(out), err)
	}
	return s, nil
}

func (s *state) save(out string) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return atomic.WriteFile(stateFile(out), bytes.NewReader(append(text, '\n')))
}

// openAt opens an output behind what its state knows of: what was written later
// is written again.
func openAt(out string, size int64) (*os.File, error) {
	file, err := os.OpenFile(out, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the file that was asked for
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && info.Size() < size {
		err = fmt.Errorf("%s has lost its end: it has %d bytes, and %s knows of %d", out, info.Size(), stateFile(out), size)
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
