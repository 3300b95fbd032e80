//go:build !unix

package process

import (
	"errors"
	"time"
)

// CPUTime returns an error, because the CPU time is read with getrusage.
func CPUTime() (time.Duration, error) {
	return 0, errors.New("the CPU time of a process is only read on Unix systems")
}
