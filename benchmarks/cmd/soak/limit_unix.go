//go:build unix

package main

import (
	"os/signal"
	"syscall"
)

// limitFiles limits the size of the files of this process to a byte, or removes the limit.
func limitFiles(on bool) error {
	signal.Ignore(syscall.SIGXFSZ) // so that a write returns an error
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	if limit.Cur = limit.Max; on {
		limit.Cur = 1
	}
	return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
}
