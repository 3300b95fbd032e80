package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/report"
)

const note = `A ratio is that of a client to its floor: the median of the ratios of each round, and
their quartiles. The floor requests and decodes the same document with net/http and
encoding/json. CPU is the time of the client's process, of the user and the system.
Allocations and memory include those of net/http.

`

// printRows writes a table for each task and the conditions.
func printRows(w io.Writer, rows []*row) error {
	for _, t := range []struct {
		task    task
		heading string
		table   func(rows []*row) *report.Table
	}{
		{taskGet, "One object", ratioTable("bytes")},
		{taskList, "A page of 100", ratioTable("bytes")},
		{taskWorkers, fmt.Sprintf("One object, %d goroutines", workers), rateTable},
		{taskIterate, "All changelog entries", ratioTable("entries")},
		{taskLatency, fmt.Sprintf("All items with WithPrefetch(8), %s for each response", latency), ratioTable("items")},
		{taskHeap, "KiB of the heap above its start, while all entries are read", heapTable},
		{taskLocal, "Without a request", localTable},
	} {
		if err := t.table(of(rows, t.task)).Print(w, t.heading); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s%s, `go run ./cmd/compare %s`, %d CPUs, %s, %s/%s\n", note,
		time.Now().UTC().Format("2 January 2006"), strings.Join(os.Args[1:], " "), runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// of returns the rows of a task.
func of(rows []*row, t task) (found []*row) {
	for _, r := range rows {
		if r.task == t {
			found = append(found, r)
		}
	}
	return found
}

// The fields of a sample.
func wall(s sample) float64      { return s.wall }
func cpu(s sample) float64       { return s.cpu }
func allocs(s sample) float64    { return s.allocs }
func allocated(s sample) float64 { return s.bytes }

// ratioTable returns a function that compares rows with their floors. The size of a
// row has a unit.
func ratioTable(unit string) func(rows []*row) *report.Table {
	return func(rows []*row) *report.Table {
		t := &report.Table{Columns: []string{"client", unit, "time", "CPU", "allocations", "memory", "floor"}}
		for _, r := range rows {
			t.Add(r.client, fmt.Sprint(r.size), r.ratio(wall), r.ratio(cpu), r.ratio(allocs), r.ratio(allocated), r.floorCosts())
		}
		return t
	}
}

// rateTable compares rates of calls instead of their times.
func rateTable(rows []*row) *report.Table {
	t := &report.Table{Columns: []string{"client", "bytes", "rate", "CPU", "allocations", "memory", "floor"}}
	for _, r := range rows {
		t.Add(r.client, fmt.Sprint(r.size), r.ratio(func(s sample) float64 { return 1 / s.wall }), r.ratio(cpu), r.ratio(allocs), r.ratio(allocated), r.floorCosts())
	}
	return t
}

func heapTable(rows []*row) *report.Table {
	t := &report.Table{Columns: []string{"client", "entries"}}
	for i := range heapPoints {
		t.Columns = append(t.Columns, fmt.Sprintf("after %d/%d", i+1, heapPoints+1))
	}
	for _, r := range rows {
		cells := []string{r.client, fmt.Sprint(r.size)}
		for _, grown := range r.heap.grown {
			cells = append(cells, fmt.Sprintf("%.0f", grown/1024))
		}
		t.Add(cells...)
	}
	return t
}

func localTable(rows []*row) *report.Table {
	t := &report.Table{Columns: []string{"call", "time", "CPU", "allocations", "memory", "entries per second of CPU"}}
	for _, r := range rows {
		rate := "–"
		if r.size > 0 {
			rate = fmt.Sprintf("%.0f", 1e9*float64(r.size)/median(r.owns, cpu))
		}
		t.Add(r.client, duration(median(r.owns, wall)), duration(median(r.owns, cpu)), count(median(r.owns, allocs)), size(median(r.owns, allocated)), rate)
	}
	return t
}

// ratio returns the median and the quartiles of the ratios of each round.
func (r *row) ratio(field func(sample) float64) string {
	ratios := make([]float64, len(r.owns))
	for i, own := range r.owns {
		ratios[i] = field(own) / field(r.floors[i])
	}
	return fmt.Sprintf("%.2f (%.2f–%.2f)", report.Median(ratios), report.Quantile(ratios, 0.25), report.Quantile(ratios, 0.75))
}

// floorCosts returns the medians of the floor.
func (r *row) floorCosts() string {
	return fmt.Sprintf("%s, CPU %s, %s allocations, %s", duration(median(r.floors, wall)), duration(median(r.floors, cpu)),
		count(median(r.floors, allocs)), size(median(r.floors, allocated)))
}

func median(samples []sample, field func(sample) float64) float64 {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = field(s)
	}
	return report.Median(values)
}

func count(f float64) string { return fmt.Sprintf("%.0f", f) }

// duration formats nanoseconds.
func duration(ns float64) string { return scaled(ns, "ns", "µs", "ms", "s") }

// size formats bytes.
func size(bytes float64) string { return scaled(bytes, "B", "kB", "MB", "GB") }

// scaled formats a value with three digits, in the unit that is suitable. Each unit is
// 1000 times the one before.
func scaled(v float64, units ...string) string {
	for len(units) > 1 && v >= 999.5 {
		v, units = v/1000, units[1:]
	}
	digits := 2
	for shown := v; digits > 0 && shown >= 9.995; shown /= 10 {
		digits--
	}
	return fmt.Sprintf("%.*f %s", digits, v, units[0])
}

// version returns the version of a module that is linked, or "" if it is not known.
func version(module string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return dep.Version
		}
	}
	return ""
}
