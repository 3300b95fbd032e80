package main

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"
)

// disk is a small file system. The zero disk is not mounted.
type disk struct{ dir string }

// diskSize is the size of a disk that is not full, in bytes.
const diskSize = 4 << 30

// newDisk mounts a file system in memory.
func newDisk(dir string) (*disk, error) {
	return &disk{dir}, mount("-t", "tmpfs", "-o", fmt.Sprintf("size=%d", diskSize), "tmpfs", dir)
}

// full makes the disk full while f runs.
func (d *disk) full(f func()) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &s); err != nil {
		return err
	}
	used := (s.Blocks - s.Bfree) * uint64(s.Bsize) //nolint:gosec // not negative
	err := mount("-o", fmt.Sprintf("remount,size=%d", used), d.dir)
	if err == nil {
		f()
	}
	return errors.Join(err, mount("-o", fmt.Sprintf("remount,size=%d", diskSize), d.dir))
}

// remove unmounts the disk.
func (d *disk) remove() error {
	if d.dir == "" {
		return nil
	}
	return syscall.Unmount(d.dir, syscall.MNT_DETACH)
}

func mount(args ...string) error {
	text, err := exec.Command("mount", args...).CombinedOutput() //nolint:gosec,noctx // options of this program; the end of the context must not keep the disk full
	if err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	return nil
}
