// Command compare prints the cost of the client's calls as Markdown tables, next to
// those of other clients. Run it in the folder benchmarks:
//
//	go run ./cmd/compare -rounds 8 -for 500ms
//
// Each client is compared with a floor, which is net/http and encoding/json without a
// library, for the same document. All requests are sent over the loopback to another
// process, so that the CPU time and the memory are those of the client.
package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log"
	"os"
	"os/signal"
	"regexp"
	"time"
)

// options are the flags, and the sizes of the lists, which only tests change.
type options struct {
	rounds     int
	perSide    time.Duration
	only       *regexp.Regexp
	cpuProfile string
	memProfile string

	entries     int // of the changelog
	credentials int
	slowEntries int // of the changelog that is read with a latency
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("compare: ")
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if sizes := os.Getenv(serverVariable); sizes != "" {
		return serve(ctx, sizes)
	}
	o, err := parse()
	if err != nil {
		return err
	}
	return compare(ctx, o, os.Stdout)
}

func parse() (*options, error) {
	o := &options{entries: 100_000, credentials: 5000, slowEntries: 5000}
	flag.IntVar(&o.rounds, "rounds", 8, "`number` of rounds; the medians and quartiles of their ratios are printed")
	flag.DurationVar(&o.perSide, "for", 500*time.Millisecond, "`duration` of each client and each floor in a round")
	only := flag.String("only", "", "measure only the rows whose names, such as get/promptrails, match the `expression`")
	flag.StringVar(&o.cpuProfile, "cpuprofile", "", "write a CPU profile to the `file`; its labels are row and side")
	flag.StringVar(&o.memProfile, "memprofile", "", "write a profile of the allocations to the `file`")
	flag.Parse()
	if flag.NArg() > 0 || o.rounds < 1 || o.perSide <= 0 {
		flag.Usage()
		os.Exit(2)
	}
	var err error
	o.only, err = regexp.Compile(*only)
	return o, err
}

// compare measures the rows that the options select, and writes the tables to w.
func compare(ctx context.Context, o *options, w io.Writer) (err error) {
	server, url, err := startServer(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	rows, err := newRows(url, o)
	if err != nil {
		return err
	}
	rows = selected(rows, o.only)
	if len(rows) == 0 {
		return errors.New("-only matches no row")
	}
	profile, err := startProfile(o)
	if err != nil {
		return err
	}
	err = measureRows(ctx, rows, o)
	if err := errors.Join(err, profile.stop()); err != nil {
		return err
	}
	return printRows(w, rows)
}
