package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// ErrNotInstalled is returned by [Start] if PostgreSQL is not installed.
var ErrNotInstalled = errors.New("PostgreSQL is not installed")

// Server is a PostgreSQL server on the loopback.
type Server struct {
	URL    string // of an ordinary user and the database that it owns
	Admin  string // of the superuser and the same database
	binary string // the folder of the programs
	folder string
}

// Start creates a server in a temporary folder and starts it. If it is not durable,
// commits do not wait for the disk.
func Start(durable bool) (*Server, error) {
	binary, err := programs()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, err
	}
	s := &Server{binary: binary, folder: folder}
	if err := s.create(durable); err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	err = s.Restart()
	for _, statement := range []string{"CREATE ROLE app LOGIN", "CREATE DATABASE app OWNER app"} {
		if err == nil {
			err = execute(context.Background(), strings.TrimSuffix(s.Admin, "app")+"postgres", statement)
		}
	}
	if err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// programs returns the folder with the programs of the newest PostgreSQL.
func programs() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is valid
	sort.Slice(found, func(i, j int) bool { return version(found[i]) < version(found[j]) })
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1]), nil
	}
	for _, name := range []string{"initdb", "/usr/local/pgsql/bin/initdb", "/opt/homebrew/bin/initdb", "/usr/pgsql/bin/initdb"} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Dir(path), nil
		}
	}
	return "", ErrNotInstalled
}

func version(initdb string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb)))) // 0 if it is no number
	return n
}

// create creates the files of the server.
func (s *Server) create(durable bool) error {
	if err := own(s.folder); err != nil {
		return err
	}
	if err := s.run("initdb", "-D", s.data(), "-A", "trust", "-U", "postgres", "-N"); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	settings := fmt.Sprintf("port = %d\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\nmax_connections = 500\nfsync = %t\nmax_locks_per_transaction = 512\n", port, durable)
	file, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(settings)
	s.URL = fmt.Sprintf("postgres://app@127.0.0.1:%d/app", port)
	s.Admin = fmt.Sprintf("postgres://postgres@127.0.0.1:%d/app", port)
	return errors.Join(err, file.Close())
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // of a TCP listener
	return port, l.Close()
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

// Restart starts the server after [Server.Kill].
func (s *Server) Restart() error {
	return s.run("pg_ctl", "-D", s.data(), "-w", "-s", "-l", filepath.Join(s.folder, "log"), "start")
}

// Kill stops the server at once, as a crash does.
func (s *Server) Kill() error {
	return s.run("pg_ctl", "-D", s.data(), "-w", "-s", "-m", "immediate", "stop")
}

// Stop stops the server and deletes its files.
func (s *Server) Stop() {
	_ = s.Kill() // it may have been killed
	_ = os.RemoveAll(s.folder)
}

// run runs a program of PostgreSQL, which refuses to run as root.
func (s *Server) run(program string, args ...string) error {
	cmd := exec.CommandContext(context.Background(), filepath.Join(s.binary, program), args...) //nolint:gosec // a program of PostgreSQL
	cmd.Dir = s.folder
	if err := asUser(cmd); err != nil {
		return err
	}
	// A file, because the server inherits the output and a pipe would stay open.
	log, err := os.CreateTemp(s.folder, program)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(log.Name())
		return fmt.Errorf("%s: %w\n%s", program, err, text)
	}
	return nil
}
