//go:build !rerun

package store

// runTwice is true only with the build tag rerun.
const runTwice = false
