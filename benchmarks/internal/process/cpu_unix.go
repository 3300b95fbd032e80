//go:build unix

package process

import (
	"syscall"
	"time"
)

// CPUTime returns the CPU time that the process has used, of the user and the system.
func CPUTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
