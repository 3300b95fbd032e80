package main

import (
	"errors"
	"os"
)

// restoreOld replaces the file by that of the kill before, or keeps a copy of it.
func (s *soaker) restoreOld() error {
	file := s.service.dsn
	for _, suffix := range []string{"", "-wal"} {
		from, to := file+suffix, file+suffix+".old"
		if s.kills == 2 {
			from, to = to, from
		}
		text, err := os.ReadFile(from) //nolint:gosec // the database
		if err == nil {
			err = os.WriteFile(to, text, 0o600) //nolint:gosec // next to the database
		}
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		if err != nil {
			return err
		}
	}
	if s.kills != 2 {
		return nil
	}
	return os.Remove(file + "-shm")
}
