package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log"
	"path/filepath"
	"slices"
	"time"
)

// fullGoal is the goal for the CPU time of a request on a full file, as a ratio to
// that on an empty one.
const fullGoal = 1.1

const (
	emptyFile = "empty file"
	fullFile  = "full file"
)

// fullLoads are the loads on an empty and a full file.
var fullLoads = []load{
	{{get, connections}},
	{{list, connections}},
	{{changelog, connections}},
	{{post, 1}},
	{{post, connections}},
}

// compareFull compares the loads on new files with those on a file that has many
// workspaces and changelog entries, and writes the ratios.
func compareFull(ctx context.Context, o *options, file string, w io.Writer) error {
	began := time.Now()
	if err := createFull(ctx, o, file); err != nil {
		return err
	}
	log.Printf("filled the file in %s", time.Since(began).Round(time.Second))
	found := newResults()
	for i := range o.count {
		log.Printf("full: round %d of %d", i+1, o.count)
		empty := filepath.Join(filepath.Dir(file), fmt.Sprintf("empty%d.db", i))
		files := []struct{ subject, file string }{{emptyFile, empty}, {fullFile, file}}
		if i%2 == 1 {
			slices.Reverse(files)
		}
		for _, of := range files {
			if err := measureFile(ctx, o, of.subject, of.file, found); err != nil {
				return err
			}
		}
	}
	return printFull(w, o, found)
}

func measureFile(ctx context.Context, o *options, subject, file string, to *results) (err error) {
	server, err := startOwn(ctx, roleService, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	for _, l := range fullLoads {
		if err := server.addRun(ctx, subject, l, o.perLoad, to); err != nil {
			return err
		}
	}
	return nil
}

// createFull creates a file with the service, and fills it.
func createFull(ctx context.Context, o *options, file string) error {
	server, err := startOwn(ctx, roleService, file)
	if err != nil {
		return err
	}
	template := server.Floor.Workspace
	if err := server.Stop(); err != nil {
		return err
	}
	return fillFile(ctx, file, fill(template, o.workspaces, o.full))
}

// fillFile runs statements in one transaction. It is fast, and a crash of the machine
// can destroy the file.
func fillFile(ctx context.Context, file string, statements []statement) (err error) {
	db, err := sql.Open("sqlite", file+"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s.sql, s.args...); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", s.sql, err), tx.Rollback())
		}
	}
	return tx.Commit()
}

type statement struct {
	sql  string
	args []any
}

// fill returns the statements that copy a workspace, and one changelog entry of it
// for each entry of the copies. $1 is its id and $2 the number of copies.
func fill(template string, workspaces, entries int) []statement {
	const numbers = `WITH RECURSIVE numbers (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < $2) `
	perWorkspace := (entries + workspaces - 1) / workspaces
	return []statement{
		{numbers + `INSERT INTO users (id, email, name, workspace_count, created_at)
			SELECT 'user' || i, i || '@example.com', u.name, 1, u.created_at
			FROM numbers, workspaces w JOIN users u ON u.id = w.owner_id WHERE w.id = $1`, []any{template, workspaces}},
		{numbers + `INSERT INTO workspaces (id, name, slug, plan, owner_id, version, created_at, updated_at, changelog_sequence, changelog_hash)
			SELECT 'workspace' || i, w.name, 'full-' || i, w.plan, 'user' || i, 1, w.created_at, w.updated_at, min($3, max(0, $4 - i * $3)), w.changelog_hash
			FROM numbers, workspaces w WHERE w.id = $1`, []any{template, workspaces, perWorkspace, entries}},
		{numbers + `INSERT INTO members (workspace_id, id, user_id, email, name, search, role, version, joined_at)
			SELECT 'workspace' || i, 'member' || i, 'user' || i, i || '@example.com', m.name, m.search, m.role, 1, m.joined_at
			FROM numbers, members m WHERE m.workspace_id = $1`, []any{template, workspaces}},
		{numbers + `INSERT INTO user_workspaces (user_id, workspace_id, workspace_created_at, role)
			SELECT 'user' || i, 'workspace' || i, w.created_at, 'owner' FROM numbers, workspaces w WHERE w.id = $1`, []any{template, workspaces}},
		{numbers + `INSERT INTO counters (workspace_id, kind, n)
			SELECT 'workspace' || i, c.kind, c.n FROM numbers, counters c WHERE c.workspace_id = $1 AND c.kind = 'members'`, []any{template, workspaces}},
		{numbers + `INSERT INTO changelog (workspace_id, sequence, id, occurred_at, action, resource_type, resource_id, actor_type, actor_id, document)
			SELECT 'workspace' || (i / $3), 1 + i % $3, 'entry' || i, c.occurred_at + i, c.action, c.resource_type, 'resource' || i, c.actor_type, c.actor_id, c.document
			FROM numbers, (SELECT * FROM changelog WHERE workspace_id = $1 ORDER BY sequence DESC LIMIT 1) c`, []any{template, entries, perWorkspace}},
	}
}
