package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/process"
)

// The floors.
const (
	bareHandler = "bare handler"
	commits     = "commits"
	pgbench     = "pgbench"
)

// syncedRow is the load of commits.
const syncedRow = "one row and its fsync, 1 caller"

// measureBare measures a handler that writes bodies of the same sizes.
func (c *comparison) measureBare(ctx context.Context, sizes map[operation]int) (err error) {
	server, err := startOwn(ctx, roleBare, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	server.Requests = map[operation]request{}
	for _, op := range []operation{get, list} {
		server.Requests[op] = request{Path: fmt.Sprintf("/%d", sizes[op])}
		if err := server.addRun(ctx, bareHandler, load{{op, connections}}, c.perLoad, c.floors); err != nil {
			return err
		}
	}
	return nil
}

// measureCommits inserts and commits single rows with the driver and the durability
// of the service. Package embedded registers the driver.
func (c *comparison) measureCommits(ctx context.Context) (err error) {
	file := filepath.Join(c.dir, "floor.db")
	db, err := sql.Open("sqlite", file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, a TEXT) STRICT"); err != nil {
		return err
	}
	insert, err := db.PrepareContext(ctx, "INSERT INTO t (a) VALUES ($1)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, insert.Close()) }()
	before, err := process.CPUTime()
	if err != nil {
		return err
	}
	var took []time.Duration
	began := time.Now()
	for last := began; last.Sub(began) < c.perLoad; {
		if _, err := insert.ExecContext(ctx, "some text"); err != nil {
			return err
		}
		now := time.Now()
		took = append(took, now.Sub(last))
		last = now
	}
	elapsed := time.Since(began)
	after, err := process.CPUTime()
	if err != nil {
		return err
	}
	slices.Sort(took)
	s := newSample(took, elapsed)
	s.cpu = (after - before) / time.Duration(len(took))
	c.floors.add(commits, syncedRow, s)
	return nil
}
