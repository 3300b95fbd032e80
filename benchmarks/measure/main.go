// Command measure prints the speed of the embedded workspace service as Markdown
// tables, next to the floors that limit it. Run it in the folder benchmarks:
//
//	go run ./measure -for 3s -count 3
//
// Each server is a child process, so that its CPU time does not include that of the
// client. The requests are sent over the loopback.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// options are the flags.
type options struct {
	perLoad    time.Duration
	count      int
	dir        string
	postgres   string
	citus      string
	pocketBase bool
	cold       bool
	full       int
	workspaces int
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("measure: ")
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if role := os.Getenv(roleVariable); role != "" {
		return play(ctx, role)
	}
	return measure(ctx, parse(), os.Stdout)
}

func parse() *options {
	o := new(options)
	flag.DurationVar(&o.perLoad, "for", 3*time.Second, "`duration` of each load")
	flag.IntVar(&o.count, "count", 3, "number of rounds; the medians are printed")
	flag.StringVar(&o.dir, "dir", "", "`folder` for the database files; default: the folder for temporary files")
	flag.StringVar(&o.postgres, "postgres", "", "`DSN` of a PostgreSQL database that is empty or from an earlier run")
	flag.StringVar(&o.citus, "citus", "", "`DSN` of a Citus database that is empty or from an earlier run")
	flag.BoolVar(&o.pocketBase, "pocketbase", false, "compare with PocketBase")
	flag.BoolVar(&o.cold, "cold", false, "measure the cold start")
	flag.IntVar(&o.full, "full", 0, "compare an empty file with a file that has this `number` of changelog entries, such as 1000000")
	flag.IntVar(&o.workspaces, "workspaces", 10_000, "`number` of workspaces of the file of -full")
	flag.Parse()
	if flag.NArg() > 0 || o.perLoad <= 0 || o.count < 1 || o.full < 0 || o.workspaces < 1 {
		flag.Usage()
		os.Exit(2)
	}
	return o
}

// measure runs everything that the options ask for and writes the tables to w.
func measure(ctx context.Context, o *options, w io.Writer) error {
	dir, err := os.MkdirTemp(o.dir, "measure-")
	if err != nil {
		return err
	}
	defer func() {
		if err := os.RemoveAll(dir); err != nil {
			log.Print(err)
		}
	}()
	if err := compareDatabases(ctx, o, dir, w); err != nil {
		return err
	}
	if o.full > 0 {
		if err := compareFull(ctx, o, filepath.Join(dir, "full.db"), w); err != nil {
			return fmt.Errorf("full: %w", err)
		}
	}
	if o.cold {
		if err := measureCold(ctx, w); err != nil {
			return fmt.Errorf("cold: %w", err)
		}
	}
	return printConditions(w)
}
