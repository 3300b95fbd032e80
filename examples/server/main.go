// Server is the workspace service as a program: it serves the API over HTTP or HTTPS,
// and administers its users and access tokens, checks its database and makes backups.
//
//	go run ./examples/server -addr 127.0.0.1:8080 -dsn workspaces.db
//
// Each setting is a flag and an environment variable; -h lists them. README.md has a
// systemd unit, a Dockerfile and a cron job.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// The exit codes.
const (
	exitFailed = 1 // also if a check has found problems
	exitUsage  = 2 // invalid arguments or settings
)

func main() { os.Exit(run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr)) }

// program is one run of the program.
type program struct {
	settings

	stdout, stderr *os.File
	log            *slog.Logger
}

func run(args []string, getenv func(string) string, stdout, stderr *os.File) int {
	p := &program{stdout: stdout, stderr: stderr}
	do, err := p.parse(args, getenv)
	if errors.Is(err, flag.ErrHelp) {
		p.usage(stdout)
		return 0
	}
	if err == nil {
		p.log = newLogger(p.logFormat, p.logLevel, stderr)
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // the second signal has its default effect
		err = do(ctx)
	}
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintln(stderr, "server:", err)
	if _, ok := errors.AsType[usageError](err); ok {
		_, _ = fmt.Fprintln(stderr, "Run server -h for the flags and commands.")
		return exitUsage
	}
	return exitFailed
}

// newLogger returns a logger with one line for each record: text for a person at a
// terminal, and JSON for a program.
func newLogger(format string, level slog.Level, w *os.File) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == formatText || format == formatAuto && isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
