//go:build !unix

package main

import "errors"

func limitFiles(bool) error { return errors.New("the limit of the size of files requires Unix") }
