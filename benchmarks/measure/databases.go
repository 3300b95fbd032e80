package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"
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

// comparison measures servers and floors in turns.
type comparison struct {
	*options

	dir             string
	pgbench         string // the program; empty if it is not installed
	servers, floors *results
}

// compareDatabases runs all loads and floors and writes their tables.
func compareDatabases(ctx context.Context, o *options, dir string, w io.Writer) error {
	subjects, err := o.subjects(ctx, dir)
	if err != nil {
		return err
	}
	c := &comparison{options: o, dir: dir, pgbench: findPgbench(), servers: newResults(), floors: newResults()}
	if c.pgbench == "" && (o.postgres != "" || o.citus != "") {
		log.Print("pgbench is not installed: its floors are omitted")
	}
	for i := range o.count {
		log.Printf("round %d of %d", i+1, o.count)
		if err := c.round(ctx, subjects); err != nil {
			return err
		}
	}
	return printDatabases(w, c.servers, c.floors)
}

// round runs each load and each floor once. A floor is measured next to its server,
// because the speed of a shared disk changes by the minute.
func (c *comparison) round(ctx context.Context, subjects []subject) error {
	sizes := map[operation]int{}
	for _, s := range subjects {
		err := c.measure(ctx, s, sizes)
		if err == nil && s.name == inMemory {
			err = c.measureBare(ctx, sizes)
		}
		if err == nil && s.name == inFile {
			err = c.measureCommits(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// measure runs all loads on a new server. It sets the sizes of the responses that are
// not set.
func (c *comparison) measure(ctx context.Context, s subject, sizes map[operation]int) (err error) {
	dir, err := os.MkdirTemp(c.dir, "data-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server, err := s.start(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if err := addSizes(ctx, &server.target, sizes); err != nil {
		return err
	}
	for _, l := range loads {
		if !l.fits(&server.target) {
			continue
		}
		if err := server.addRun(ctx, s.name, l, c.perLoad, c.servers); err != nil {
			return err
		}
	}
	if s.dsn == "" || c.pgbench == "" {
		return nil
	}
	return c.measurePgbench(ctx, s, server.Floor, dir)
}

// addRun runs a load and adds its samples.
func (c *child) addRun(ctx context.Context, subject string, l load, duration time.Duration, to *results) error {
	samples, err := c.run(ctx, l, duration)
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
