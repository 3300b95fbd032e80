// Isolationcheck verifies that the tests cover the isolation of workspaces. It
// removes each workspace predicate from the SQL statements of the store, one at a
// time, and checks that a test fails. It is a separate command because it builds
// and runs the tests for each predicate:
//
//	go run ./internal/isolationcheck
//	go run ./internal/isolationcheck -database postgres
//
// It prints a line for each predicate. The exit status is 1 if the tests pass
// without one of them. The tests with PostgreSQL run as a superuser, to whom
// row-level security does not apply.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// predicates match the conditions that bind a statement to its workspace. The
// condition is the first group. The first pattern is for tables with a
// workspace_id, the second for the table workspaces.
var predicates = []*regexp.Regexp{
	regexp.MustCompile(`((?:\w+\.)?workspace_id = (?:\$1|\w+\.workspace_id))`),
	regexp.MustCompile("workspaces\\b[^\"`]*?[ (]((?:w\\.)?id = \\$1)"),
}

// database is a database and the value of the environment variable with which the
// tests of the service use it.
type database struct{ name, value string }

// suites returns the tests with a database that must fail, fastest first.
func (d database) suites() [][]string {
	return [][]string{
		{"./internal/store", "-run", "(Stay.*|ChangelogByTime)/" + d.name + "|TestPostgres"},
		{"./embedded", "-run", "TestIsolation|TestReseal|TestMember|TestKeyLastUsed"},
	}
}

func main() {
	name := flag.String("database", "memory", "memory or postgres")
	flag.Parse()
	d := database{*name, map[string]string{"postgres": "superuser"}[*name]}
	survivors, err := d.run(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	if survivors > 0 {
		fmt.Printf("%d predicates can be removed without a failing test\n", survivors)
		os.Exit(1)
	}
}

func (d database) run(ctx context.Context) (survivors int, err error) {
	files, err := filepath.Glob("internal/store/*.go")
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("run isolationcheck in the root directory of the module: %w", err)
	}
	dir, err := os.MkdirTemp("", "isolationcheck")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || strings.Contains(file, "/postgres") && d.name != "postgres" {
			continue
		}
		source, err := os.ReadFile(file) //nolint:gosec // a file of the module
		if err != nil {
			return survivors, err
		}
		for _, p := range predicates {
			for _, at := range p.FindAllSubmatchIndex(source, -1) {
				failed, err := d.testsFail(ctx, dir, file, source, at[2:4])
				if err != nil {
					return survivors, err
				}
				line := 1 + strings.Count(string(source[:at[2]]), "\n")
				fmt.Printf("%-8s %s:%d: %s\n", map[bool]string{true: "ok", false: "SURVIVED"}[failed], file, line, source[at[2]:at[3]])
				if !failed {
					survivors++
				}
			}
		}
	}
	return survivors, nil
}

// testsFail reports whether a test fails without the predicate at offsets at.
func (d database) testsFail(ctx context.Context, dir, file string, source []byte, at []int) (bool, error) {
	found := string(source[at[0]:at[1]])
	always := "$1 = $1"
	if !strings.Contains(found, "$1") {
		always = "1 = 1" // a join condition; the statement binds $1 elsewhere
	}
	mutant := filepath.Join(dir, filepath.Base(file))
	text := string(source[:at[0]]) + always + string(source[at[1]:])
	if err := os.WriteFile(mutant, []byte(text), 0o600); err != nil { //nolint:gosec // in a temporary directory
		return false, err
	}
	original, err := filepath.Abs(file)
	if err != nil {
		return false, err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: mutant}})
	if err != nil {
		return false, err
	}
	replaced := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(replaced, overlay, 0o600); err != nil {
		return false, err
	}
	for _, suite := range d.suites() {
		test := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-failfast", "-overlay", replaced}, suite...)...) //nolint:gosec // the go command
		test.Env = append(os.Environ(), "PROMPTRAILS_TEST_DATABASE="+d.value)
		out, err := test.CombinedOutput()
		if strings.Contains(string(out), "[build failed]") {
			return false, fmt.Errorf("%s without %q does not build:\n%s", file, found, out)
		}
		if _, failed := errors.AsType[*exec.ExitError](err); failed {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}
