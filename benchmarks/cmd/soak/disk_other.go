//go:build !linux

package main

import "errors"

// disk is not mounted.
type disk struct{}

func newDisk(string) (*disk, error) { return nil, errors.New("it requires Linux") }

func (*disk) full(func()) error { return nil }

func (*disk) remove() error { return nil }
