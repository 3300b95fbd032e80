// Command soak runs a load with faults against the embedded workspace service, and
// reports as Markdown whether it has kept its promises. Run it in the folder benchmarks:
//
//	go run ./cmd/soak -for 1h
//
// The service is a child process, which is killed and started again on the same
// database. The load is sent by the client of this module, over the loopback and through
// a proxy that disturbs the connections. After each fault, every acknowledged change is
// compared with the service and its changelog. The status is 1 if a change is lost or was
// made twice, or if another claim of the report does not hold.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/pgtest"
)

// options are the flags.
type options struct {
	duration time.Duration
	database string
	faults   []string
	maxKills int
	seed     uint64
	lose     bool
}

func main() {
	log.SetFlags(log.Ltime)
	log.SetPrefix("soak: ")
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if os.Getenv(roleVariable) != "" {
		return play(ctx)
	}
	o, err := parse()
	if err != nil {
		return err
	}
	if o.database == "postgres" {
		server, err := pgtest.Start(false)
		if err != nil {
			return err
		}
		defer server.Stop()
		o.database = server.URL
	}
	return soak(ctx, o, os.Stdout)
}

func parse() (*options, error) {
	o := new(options)
	flag.DurationVar(&o.duration, "for", time.Minute, "`duration` of the load")
	flag.StringVar(&o.database, "database", "file", "file, postgres (a server that the program starts and stops), or the `DSN` of a PostgreSQL database that is empty or from an earlier run")
	faults := flag.String("faults", "all", "all, or a `list` of "+strings.Join(faultNames, ","))
	flag.IntVar(&o.maxKills, "kills", 0, "end the load after this `number` of kills; 0: no limit")
	flag.Uint64Var(&o.seed, "seed", 1, "`seed` of the order of faults and changes")
	flag.BoolVar(&o.lose, "lose", false, "restore an older copy of the database file at a kill, to see that the program finds the lost changes")
	flag.Parse()
	if flag.NArg() > 0 || o.duration <= 0 || o.maxKills < 0 {
		flag.Usage()
		os.Exit(2)
	}
	o.faults = faultNames
	if *faults != "all" {
		o.faults = strings.Split(*faults, ",")
	}
	for _, name := range o.faults {
		if !slices.Contains(faultNames, name) {
			return nil, fmt.Errorf("-faults: %q is not one of %s", name, strings.Join(faultNames, ", "))
		}
	}
	if o.database != "file" && slices.Equal(o.faults, []string{diskFault}) {
		return nil, errors.New("-faults: the fault disk requires a file")
	}
	if o.lose && (o.database != "file" || !slices.Contains(o.faults, killFault)) {
		return nil, errors.New("-lose requires a file and the fault kill")
	}
	return o, nil
}
