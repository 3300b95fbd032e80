package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"
)

// table is a Markdown table.
type table struct {
	columns []string
	rows    [][]string
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// print writes the table under a heading. It omits a table without rows.
func (t *table) print(w io.Writer, heading string) error {
	if len(t.rows) == 0 {
		return nil
	}
	var text strings.Builder
	fmt.Fprintf(&text, "## %s\n\n| %s |\n|%s\n", heading, strings.Join(t.columns, " | "), strings.Repeat("---|", len(t.columns)))
	for _, row := range t.rows {
		fmt.Fprintf(&text, "| %s |\n", strings.Join(row, " | "))
	}
	_, err := fmt.Fprintln(w, text.String())
	return err
}

const note = `CPU is the time of the server's process for a request, of the user and the system.
It excludes the client and the processes of PostgreSQL. In a mixed load it is the
mean over the requests of both sides. PocketBase does not sync its commits
(synchronous=NORMAL), and the service does.

`

// printDatabases writes the requests, the floors and the ratios.
func printDatabases(w io.Writer, servers, floors *results) error {
	if err := servers.table("server").print(w, "Requests"); err != nil {
		return err
	}
	if _, err := fmt.Fprint(w, note); err != nil {
		return err
	}
	if err := floors.table("floor").print(w, "Floors"); err != nil {
		return err
	}
	ratios := table{columns: []string{"server", "load", "floor or other server", "requests/s", "CPU per request"}}
	for _, name := range []string{inMemory, inFile, inPostgres, inCitus} {
		ratios.compare(servers, floors, name, single(get, connections), key{bareHandler, single(get, connections)})
		ratios.compare(servers, floors, name, single(list, connections), key{bareHandler, single(list, connections)})
		if name == inFile {
			for _, n := range []int{1, connections, 64} {
				ratios.compare(servers, floors, name, single(post, n), key{commits, syncedRow})
			}
		}
		for _, script := range scripts {
			load := single(script.op, connections)
			ratios.compare(servers, floors, name, load, key{pgbench + " of " + name, load})
		}
		for _, op := range []operation{get, list, post} {
			load := single(op, connections)
			ratios.compare(servers, servers, name, load, key{pocketBase, load})
		}
	}
	return ratios.print(w, "Ratios of a server to a floor or another server")
}

// table returns the medians of all rows.
func (r *results) table(subject string) *table {
	t := &table{columns: []string{subject, "load", "requests/s", "CPU per request", "p50", "p99"}}
	for _, k := range r.order {
		s := r.median(k)
		t.add(k.subject, k.load, fmt.Sprintf("%.0f", s.rate), duration(s.cpu), duration(s.p50), duration(s.p99))
	}
	return t
}

// compare adds the ratios of a load to another row, if both were measured.
func (t *table) compare(servers, others *results, subject, load string, other key) {
	own, to := servers.median(key{subject, load}), others.median(other)
	if own.rate > 0 && to.rate > 0 {
		t.add(subject, load, other.subject, ratio(own.rate, to.rate), ratio(float64(own.cpu), float64(to.cpu)))
	}
}

// printFull writes the ratios of a full file to an empty one.
func printFull(w io.Writer, o *options, found *results) error {
	t := table{columns: []string{"load", "CPU per request, " + emptyFile, "CPU per request, " + fullFile, "ratio", "goal"}}
	for _, l := range fullLoads {
		empty, full := found.median(key{emptyFile, l.name(0)}), found.median(key{fullFile, l.name(0)})
		t.add(l.name(0), duration(empty.cpu), duration(full.cpu), ratio(float64(full.cpu), float64(empty.cpu)), fmt.Sprint(fullGoal))
	}
	return t.print(w, fmt.Sprintf("A file with %d workspaces and %d changelog entries", o.workspaces, o.full))
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

func ratio(a, b float64) string {
	if a == 0 || b == 0 {
		return unknown
	}
	return fmt.Sprintf("%.2f", a/b)
}
