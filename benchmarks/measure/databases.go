package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
)

// The subjects of the tables.
const (
	inMemory   = "memory"
	inFile     = "file"
	inPostgres = "PostgreSQL"
	inCitus    = "Citus"
	pocketBase = "PocketBase"
)

// subject is a server that is measured.
type subject struct {
	name  string
	dsn   string // for pgbench; empty otherwise
	start func(ctx context.Context, dir string) (*child, error)
}

// subjects returns the servers that the options ask for. The file dir/pocketbase is
// the program of PocketBase.
func (o *options) subjects(ctx context.Context, dir string) ([]subject, error) {
	all := []subject{
		{name: inMemory, start: func(ctx context.Context, _ string) (*child, error) { return startOwn(ctx, roleService, "") }},
		{name: inFile, start: func(ctx context.Context, dir string) (*child, error) {
			return startOwn(ctx, roleService, filepath.Join(dir, "workspaces.db"))
		}},
	}
	for _, server := range []struct{ name, dsn string }{{inPostgres, o.postgres}, {inCitus, o.citus}} {
		if server.dsn != "" {
			all = append(all, subject{server.name, server.dsn, func(ctx context.Context, _ string) (*child, error) {
				return startOwn(ctx, roleService, server.dsn)
			}})
		}
	}
	if o.pocketBase {
		program, err := buildPocketBase(ctx, dir)
		if err != nil {
			return nil, err
		}
		all = append(all, subject{name: pocketBase, start: program.start})
	}
	return all, nil
}

// compareDatabases runs all loads and floors in turns and writes their tables.
func compareDatabases(ctx context.Context, o *options, dir string, w io.Writer) error {
	all, err := o.subjects(ctx, dir)
	if err != nil {
		return err
	}
	bench := findPgbench()
	servers, floors := newResults(), newResults()
	for i := range o.count {
		log.Printf("round %d of %d", i+1, o.count)
		sizes := map[operation]int{}
		for _, s := range all {
			if err := s.measure(ctx, o, dir, servers, sizes, floors, bench); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
		if err := measureBare(ctx, o, sizes, floors); err != nil {
			return fmt.Errorf("%s: %w", bareHandler, err)
		}
		if err := measureCommits(ctx, o, filepath.Join(dir, "floor.db"), floors); err != nil {
			return fmt.Errorf("%s: %w", commits, err)
		}
	}
	if bench == "" && (o.postgres != "" || o.citus != "") {
		log.Print("pgbench was not found: its floors are omitted")
	}
	return printDatabases(w, servers, floors)
}

// measure runs all loads on a new server. It sets the sizes of the responses that are
// not set.
func (s *subject) measure(ctx context.Context, o *options, parent string, servers *results, sizes map[operation]int, floors *results, bench string) (err error) {
	dir, err := os.MkdirTemp(parent, "data-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := s.start(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	if err := addSizes(ctx, &server.target, sizes); err != nil {
		return err
	}
	for _, l := range loads {
		if !l.fits(&server.target) {
			continue
		}
		if err := server.addRun(ctx, s.name, l, o, servers); err != nil {
			return err
		}
	}
	if s.dsn == "" || bench == "" {
		return nil
	}
	return measurePgbench(ctx, o, bench, s, server.Floor, dir, floors)
}

// addRun runs a load and adds its samples.
func (c *child) addRun(ctx context.Context, subject string, l load, o *options, to *results) error {
	samples, err := c.run(ctx, l, o.perLoad)
	if err != nil {
		return fmt.Errorf("%s: %w", l.name(0), err)
	}
	for i, one := range samples {
		to.add(subject, l.name(i), one)
	}
	return nil
}

// addSizes sets the sizes of the responses that have a floor.
func addSizes(ctx context.Context, t *target, sizes map[operation]int) error {
	for _, op := range []operation{get, list} {
		if sizes[op] > 0 {
			continue
		}
		c, err := dial(ctx, t, op)
		if err != nil {
			return err
		}
		sizes[op], err = c.do()
		c.close()
		if err != nil {
			return err
		}
	}
	return nil
}
