package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/report"
)

// maxListed bounds the lines of a list in the report.
const maxListed = 20

// print writes the report.
func (s *soaker) print(w io.Writer) error {
	summary := &report.Table{Columns: []string{"", "value"}}
	for _, row := range s.rows() {
		summary.Add(row[0], row[1])
	}
	err := summary.Print(w, "Soak")
	faults := &report.Table{Columns: []string{"fault", "count"}}
	for _, name := range slices.Sorted(maps.Keys(s.injected)) {
		faults.Add(name, fmt.Sprint(s.injected[name]))
	}
	err = errors.Join(err, faults.Print(w, "Faults"))
	failures := &report.Table{Columns: []string{"error", "attempts", "calls after all attempts", "of them with an unknown outcome", "unexpected"}}
	for _, kind := range slices.Sorted(maps.Keys(s.counts.failures)) {
		f := s.counts.failures[kind]
		failures.Add(kind, fmt.Sprint(f.attempts), fmt.Sprint(f.calls), fmt.Sprint(f.unknown), fmt.Sprint(len(f.unexpected)))
	}
	err = errors.Join(err, failures.Print(w, "Errors"))
	growth := &report.Table{Columns: []string{"process", "resident memory", "heap", "goroutines"}}
	growth.Add("service, start", mib(s.serviceStart.Resident), mib(s.serviceStart.Heap), fmt.Sprint(s.serviceStart.Goroutines))
	growth.Add("service, end", mib(s.serviceEnd.Resident), mib(s.serviceEnd.Heap), fmt.Sprint(s.serviceEnd.Goroutines))
	growth.Add("client, start", mib(s.clientStart.Resident), mib(s.clientStart.Heap), fmt.Sprint(s.clientStart.Goroutines))
	growth.Add("client, end", mib(s.clientEnd.Resident), mib(s.clientEnd.Heap), fmt.Sprint(s.clientEnd.Goroutines))
	growth.Add("bound of the growth", mib(maxResidentGrowth), mib(maxHeapGrowth), fmt.Sprint(maxGoroutineGrowth))
	err = errors.Join(err, growth.Print(w, "Memory and goroutines"))
	for _, note := range s.notes {
		_, e := fmt.Fprintln(w, note)
		err = errors.Join(err, e)
	}
	for _, list := range []struct {
		heading string
		items   []string
	}{{"Lost", s.lost}, {"Doubled", s.doubled}, {"Problems", s.allProblems()}} {
		for i, item := range list.items {
			if i == 0 {
				item = "\n### " + list.heading + "\n\n- " + item
			} else if item = "- " + item; i == maxListed {
				item = fmt.Sprintf("- %d more", len(list.items)-maxListed)
			}
			_, e := fmt.Fprintln(w, item)
			if err = errors.Join(err, e); i == maxListed {
				break
			}
		}
	}
	return err
}

// rows returns the rows of the summary.
func (s *soaker) rows() [][2]string {
	database := "SQLite file"
	if s.database != "file" {
		database = "PostgreSQL"
	}
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return [][2]string{
		{"database", database},
		{"duration", s.load.Round(time.Second / 10).String()},
		{"seed", fmt.Sprint(s.seed)},
		{"calls", fmt.Sprint(s.counts.calls)},
		{"requests", fmt.Sprint(s.counts.attempts)},
		{"calls repeated with the same key", fmt.Sprint(s.counts.repeated)},
		{"checks of all objects and changelogs", fmt.Sprint(s.checks)},
		{"kills", fmt.Sprint(s.kills)},
		{"lost acknowledged changes", fmt.Sprint(len(s.lost))},
		{"doubled changes", fmt.Sprint(len(s.doubled))},
		{"notifications received", fmt.Sprint(s.receiver.count)},
		{"notifications received again, with the same id", fmt.Sprint(s.receiver.repeats)},
		{"longest pause without a fault", s.counts.calm.Round(time.Millisecond).String()},
		{"longest pause with a fault", s.counts.faulty.Round(time.Millisecond).String()},
		{"go", runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH},
	}
}

// allProblems returns the problems of the run, the receiver, the errors and the growth.
func (s *soaker) allProblems() []string {
	problems := append(slices.Clone(s.problems), s.receiver.problems...)
	for _, kind := range slices.Sorted(maps.Keys(s.counts.failures)) {
		for _, text := range s.counts.failures[kind].unexpected {
			problems = append(problems, "unexpected error: "+text)
		}
	}
	return append(problems, s.growth()...)
}

// growth returns the values that have grown beyond their bounds.
func (s *soaker) growth() (beyond []string) {
	for _, text := range s.serviceStart.growth(s.serviceEnd) {
		beyond = append(beyond, "growth of the service: "+text)
	}
	for _, text := range s.clientStart.growth(s.clientEnd) {
		beyond = append(beyond, "growth of the client: "+text)
	}
	return beyond
}

// verdict returns an error if a claim does not hold.
func (s *soaker) verdict() error {
	if n := len(s.allProblems()); len(s.lost)+len(s.doubled)+n > 0 {
		return fmt.Errorf("%d lost changes, %d doubled changes and %d problems", len(s.lost), len(s.doubled), n)
	}
	return nil
}

func mib(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
