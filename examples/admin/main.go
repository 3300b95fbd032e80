// Admin administers workspaces from the command line: members, invitations, API keys,
// credentials, notification channels, data masking, the changelog, usage, and reviews of
// access.
//
//	go run ./examples/admin review
//
// Without settings it runs a workspace service with sample data. README.md has a session
// of the shell.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// The exit codes.
const (
	exitFailed     = 1
	exitUsage      = 2 // invalid arguments or settings
	exitFindings   = 3 // a review has findings of at least the severity of --fail-on
	exitIncomplete = 4 // a review could not read everything
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	context.AfterFunc(ctx, stop) // the second signal has its default effect
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, pause: pause, interrupted: ctx.Done()}
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	err = errors.Join(err, a.close())
	if err == nil {
		return 0
	}
	if ended, ok := errors.AsType[exit](err); ok {
		return ended.code
	}
	_, _ = fmt.Fprintln(os.Stderr, "admin: "+explain(ctx, cmd, err))
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitFailed
}

// exit ends the program with a code after the output has explained it.
type exit struct{ code int }

func (e exit) Error() string { return fmt.Sprintf("exit code %d", e.code) }
