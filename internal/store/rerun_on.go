//go:build rerun

package store

// runTwice makes each write run twice: .ci/run tests the service with it, because the
// function of a write must not depend on an earlier run that was rolled back.
const runTwice = true
