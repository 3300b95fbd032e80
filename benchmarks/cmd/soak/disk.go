package main

import (
	"context"
	"errors"
	"slices"
)

// disk becomes full.
type disk interface {
	full(ctx context.Context, f func()) error // while f runs
	remove() error
}

// limited is a disk that is not full: the service cannot write to its files instead.
type limited struct{ service *service }

func (l limited) full(ctx context.Context, f func()) error {
	err := l.service.limit(ctx, true)
	if err == nil {
		f()
	}
	return errors.Join(err, l.service.limit(context.WithoutCancel(ctx), false))
}

func (limited) remove() error { return nil }

// prepareDisk returns the disk for the database files in a folder. It omits the fault if
// PostgreSQL has the files.
func (s *soaker) prepareDisk(dir string) disk {
	if !slices.Contains(s.faults, diskFault) {
		return limited{s.service}
	}
	if s.database != "file" {
		s.notes = append(s.notes, "The fault disk is omitted, because PostgreSQL has the files.")
		s.faults = slices.DeleteFunc(slices.Clone(s.faults), func(f string) bool { return f == diskFault })
		return limited{s.service}
	}
	mounted, err := newDisk(dir)
	if err != nil {
		s.notes = append(s.notes, "The limit of the size of files replaces a full disk: "+err.Error()+".")
		return limited{s.service}
	}
	return mounted
}
