//go:build !linux

package main

import "errors"

func newDisk(string) (disk, error) { return nil, errors.New("a small disk requires Linux") }
