// Package pgtest provides PostgreSQL databases for tests. It starts a server of its
// own, in a temporary folder, with the programs of PostgreSQL that are installed.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Environment variables with the URLs of servers for tests.
const (
	// Variable replaces the server that the package starts.
	Variable = "PROMPTRAILS_TEST_POSTGRES_DSN"
	// CitusVariable is the URL of the coordinator of a Citus cluster.
	CitusVariable = "PROMPTRAILS_TEST_CITUS_DSN"
)

var shared struct {
	start  sync.Once
	server *Server
	err    error
	number atomic.Int64
}

// DSN returns the URL of an empty schema, which is dropped after the test. Without
// PostgreSQL, it skips the test. Row-level security applies to the user of the URL.
func DSN(t testing.TB) string {
	t.Helper()
	return schema(t, server(t).URL)
}

// AdminDSN is [DSN] for a superuser, to whom row-level security does not apply.
func AdminDSN(t testing.TB) string {
	t.Helper()
	return schema(t, server(t).Admin)
}

// server starts the server of the package.
func server(t testing.TB) *Server {
	t.Helper()
	shared.start.Do(func() {
		if url := os.Getenv(Variable); url != "" {
			shared.server = &Server{URL: url, Admin: url}
			return
		}
		shared.server, shared.err = Start(false)
	})
	if errors.Is(shared.err, ErrNotInstalled) {
		t.Skipf("no test with PostgreSQL: %v, and %s is not set", shared.err, Variable)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Citus returns the URL of an empty schema in a Citus cluster, which is dropped after
// the test. Without a cluster, it skips the test.
func Citus(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv(CitusVariable)
	if dsn == "" {
		t.Skipf("no test with Citus: %s is not set", CitusVariable)
	}
	return with(schema(t, dsn), "citus.shard_count", "4")
}

// Program returns the path of a program of PostgreSQL, such as pg_dump. Without it, it
// skips the test.
func Program(t testing.TB, name string) string {
	t.Helper()
	if folder, err := programs(); err == nil {
		if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return path
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no test with %s: %v", name, err)
	}
	return path
}

// Stop stops the server of the package. TestMain calls it after the tests.
func Stop() {
	if shared.server != nil && shared.server.folder != "" {
		shared.server.Stop()
	}
}

// schema creates a schema and returns its URL.
func schema(t testing.TB, dsn string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), shared.number.Add(1))
	if err := execute(context.Background(), dsn, "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := execute(context.Background(), dsn, "DROP SCHEMA "+name+" CASCADE"); err != nil {
			t.Errorf("drop of the schema %s: got %v, want no error", name, err)
		}
	})
	return with(with(dsn, "search_path", name), "pool_max_conns", "8")
}

// with returns a URL with another parameter.
func with(dsn, name, value string) string {
	separator := "?"
	if strings.Contains(dsn, "?") {
		separator = "&"
	}
	return dsn + separator + name + "=" + url.QueryEscape(value)
}

func execute(ctx context.Context, dsn, statement string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}
