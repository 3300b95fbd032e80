package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// statements has the statements of one request of the service as scripts of pgbench.
// Change them when the statements of the service change.
//
//go:embed statements
var statements embed.FS

// scripts are the operations with a floor in statements.
var scripts = []struct {
	op   operation
	file string
}{{get, "get.sql"}, {post, "post.sql"}}

// findPgbench returns the path of pgbench, or "" if it is not installed.
func findPgbench() string {
	if path, err := exec.LookPath("pgbench"); err == nil {
		return path
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench")
	if err != nil || len(found) == 0 {
		return ""
	}
	return slices.Max(found)
}

// measurePgbench runs the statements of the requests without the service.
func (c *comparison) measurePgbench(ctx context.Context, s subject, rows *floorRows, dir string) error {
	for _, script := range scripts {
		text, err := statements.ReadFile("statements/" + script.file)
		if err != nil {
			return err
		}
		file := filepath.Join(dir, script.file)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return err
		}
		rate, err := c.runPgbench(ctx, s.dsn, file, rows)
		if err != nil {
			return fmt.Errorf("pgbench: %s: %w", script.file, err)
		}
		c.floors.add(pgbench+" of "+s.name, single(script.op, connections), sample{rate: rate})
	}
	return nil
}

var tps = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

// runPgbench returns the transactions per second of a script.
func (c *comparison) runPgbench(ctx context.Context, dsn, file string, rows *floorRows) (float64, error) {
	seconds := int(math.Ceil(c.perLoad.Seconds()))
	cmd := exec.CommandContext(ctx, c.pgbench, "--no-vacuum", "--protocol=prepared", //nolint:gosec // the program that was found
		"--file="+file, "--time="+strconv.Itoa(seconds), "--client="+strconv.Itoa(connections), "--jobs=2",
		"--define=workspace="+rows.Workspace, `--define=hash=\x`+rows.KeyHash, "--define=credential="+rows.Credential, dsn)
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		log.Print(string(exit.Stderr))
	}
	if err != nil {
		return 0, err
	}
	found := tps.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("no rate in the output of pgbench: %s", out)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}
