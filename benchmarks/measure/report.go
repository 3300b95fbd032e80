package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/report"
)

const note = `CPU is the time of the server's process for a request, of the user and the system.
It excludes the client and the processes of PostgreSQL. In a mixed load it is the
mean over the requests of both sides. PocketBase does not sync its commits
(synchronous=NORMAL), and the service does. A ratio is the median of the ratios of
each round.

`

// printDatabases writes the requests, the floors and the ratios.
func printDatabases(w io.Writer, servers, floors *results) error {
	if err := servers.table("server").Print(w, "Requests"); err != nil {
		return err
	}
	if _, err := fmt.Fprint(w, note); err != nil {
		return err
	}
	if err := floors.table("floor").Print(w, "Floors"); err != nil {
		return err
	}
	ratios := report.Table{Columns: []string{"server", "load", "floor or other server", "requests/s", "CPU per request"}}
	for _, name := range []string{inMemory, inFile, inPostgres, inCitus} {
		compare(&ratios, servers, floors, name, single(get, connections), key{bareHandler, single(get, connections)})
		compare(&ratios, servers, floors, name, single(list, connections), key{bareHandler, single(list, connections)})
		if name == inFile {
			for _, n := range []int{1, connections, 64} {
				compare(&ratios, servers, floors, name, single(post, n), key{commits, syncedRow})
			}
		}
		for _, script := range scripts {
			load := single(script.op, connections)
			compare(&ratios, servers, floors, name, load, key{pgbench + " of " + name, load})
		}
		for _, op := range []operation{get, list, post} {
			load := single(op, connections)
			compare(&ratios, servers, servers, name, load, key{pocketBase, load})
		}
	}
	return ratios.Print(w, "Ratios of a server to a floor or another server")
}

// table returns the medians of all rows.
func (r *results) table(subject string) *report.Table {
	t := &report.Table{Columns: []string{subject, "load", "requests/s", "CPU per request", "p50", "p99"}}
	for _, k := range r.order {
		s := r.median(k)
		t.Add(k.subject, k.load, fmt.Sprintf("%.0f", s.rate), duration(s.cpu), duration(s.p50), duration(s.p99))
	}
	return t
}

// compare adds the ratios of a load to another row, if both were measured.
func compare(t *report.Table, servers, others *results, subject, load string, other key) {
	own, to := servers.samples[key{subject, load}], others.samples[other]
	if len(own) > 0 && len(to) > 0 {
		t.Add(subject, load, other.subject,
			ratio(own, to, func(s sample) float64 { return s.rate }), ratio(own, to, func(s sample) float64 { return float64(s.cpu) }))
	}
}

// printFull writes the ratios of a full file to an empty one.
func printFull(w io.Writer, o *options, found *results) error {
	t := report.Table{Columns: []string{"load", "CPU per request, " + emptyFile, "CPU per request, " + fullFile, "ratio", "goal"}}
	for _, l := range fullLoads {
		empty, full := key{emptyFile, l.name(0)}, key{fullFile, l.name(0)}
		t.Add(l.name(0), duration(found.median(empty).cpu), duration(found.median(full).cpu),
			ratio(found.samples[full], found.samples[empty], func(s sample) float64 { return float64(s.cpu) }), fmt.Sprint(fullGoal))
	}
	return t.Print(w, fmt.Sprintf("A file with %d workspaces and %d changelog entries", o.workspaces, o.full))
}

// printConditions writes the command line and the machine.
func printConditions(w io.Writer) error {
	_, err := fmt.Fprintf(w, "`%s`, %d CPUs, %s, %s/%s\n", commandLine(os.Args[1:]), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// commandLine returns the command line without the passwords of URLs.
func commandLine(args []string) string {
	line := []string{"go run ./measure"}
	for _, arg := range args {
		name, value := "", arg
		if flagged, of, found := strings.Cut(arg, "="); found && strings.HasPrefix(arg, "-") {
			name, value = flagged+"=", of
		}
		if u, err := url.Parse(value); err == nil && u.User != nil {
			value = u.Redacted()
		}
		line = append(line, name+value)
	}
	return strings.Join(line, " ")
}

// unknown is the cell of a value that was not measured.
const unknown = "–"

func duration(d time.Duration) string {
	switch {
	case d == 0:
		return unknown
	case d < time.Millisecond:
		return fmt.Sprintf("%.0f µs", float64(d)/float64(time.Microsecond))
	default:
		return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
	}
}

func ratio(of, to []sample, field func(sample) float64) string {
	if r := medianRatio(of, to, field); r > 0 {
		return fmt.Sprintf("%.2f", r)
	}
	return unknown
}
