package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

// mounted is a small file system.
type mounted struct{ dir string }

// diskSize is the size of a disk that is not full, in bytes.
const diskSize = 4 << 30

// newDisk mounts a file system in memory.
func newDisk(dir string) (disk, error) { return &mounted{dir}, mount(dir, 0, diskSize) }

func (d *mounted) full(_ context.Context, f func()) error {
	err := d.shrink()
	if err == nil {
		f()
	}
	return errors.Join(err, mount(d.dir, syscall.MS_REMOUNT, diskSize))
}

// shrink sets the size to what is used. It tries again if more is used meanwhile.
func (d *mounted) shrink() (err error) {
	for margin := uint64(0); margin < 1<<20; margin += 1 << 16 {
		var s syscall.Statfs_t
		if err := syscall.Statfs(d.dir, &s); err != nil {
			return err
		}
		used := (s.Blocks - s.Bfree) * uint64(s.Bsize) //nolint:gosec // not negative
		if err = mount(d.dir, syscall.MS_REMOUNT, used+margin); err == nil {
			return nil
		}
	}
	return err
}

func (d *mounted) remove() error { return syscall.Unmount(d.dir, syscall.MNT_DETACH) }

func mount(dir string, flags uintptr, size uint64) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, fmt.Sprintf("size=%d", size)); err != nil {
		return fmt.Errorf("mount with %d bytes: %w", size, err)
	}
	return nil
}
