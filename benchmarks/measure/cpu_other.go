//go:build !unix

package main

import (
	"errors"
	"time"
)

// cpuTime returns an error, because the CPU time is read with getrusage.
func cpuTime() (time.Duration, error) {
	return 0, errors.New("the CPU time of a process is only read on Unix systems")
}
