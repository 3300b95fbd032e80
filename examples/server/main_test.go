package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The tests run the program as a process: the test binary, with this variable.
const runMain = "SERVER_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// newProcess returns a process of the program in the folder dir. Its environment has no
// settings except env.
func newProcess(t *testing.T, dir string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), self, args...)
	process.Dir = dir
	process.Env = append([]string{runMain + "=1", "PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + os.TempDir(), "GOCOVERDIR=" + os.TempDir()}, env...)
	return process
}

// outcome is the result of a process.
type outcome struct {
	code           int
	stdout, stderr string
}

// runProcess runs the program until it exits.
func runProcess(t *testing.T, dir string, env []string, args ...string) outcome {
	t.Helper()
	process := newProcess(t, dir, env, args...)
	var stdout, stderr bytes.Buffer
	process.Stdout, process.Stderr = &stdout, &stderr
	if err := process.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatal(err)
		}
	}
	return outcome{process.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// expect fails the test unless a process exits with 0 and writes nothing to stderr. It
// returns stdout without the last newline.
func (o outcome) expect(t *testing.T) string {
	t.Helper()
	if o.code != 0 || o.stderr != "" {
		t.Fatalf("got exit code %d, stdout %q, stderr %q; want 0, and no stderr", o.code, o.stdout, o.stderr)
	}
	return strings.TrimSuffix(o.stdout, "\n")
}

// fails fails the test unless a process exits with a code, writes part to stderr, and
// writes nothing to stdout.
func (o outcome) fails(t *testing.T, code int, part string) {
	t.Helper()
	if o.code != code || o.stdout != "" || !strings.Contains(o.stderr, part) {
		t.Errorf("got exit code %d, stdout %q, stderr %q; want %d, no stdout, and stderr with %q", o.code, o.stdout, o.stderr, code, part)
	}
}

// running is a server that is running.
type running struct {
	url     string
	process *exec.Cmd
	records *bufio.Scanner // the following records of the log
}

// start starts a server on a free port. Its log is JSON, because it is in a pipe.
func start(t *testing.T, dir string, args ...string) *running {
	t.Helper()
	process := newProcess(t, dir, nil, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	stderr, err := process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() }) // unless it has ended
	s := &running{process: process, records: bufio.NewScanner(stderr)}
	s.url = s.logs(t, "listening")["url"].(string)
	return s
}

// logs reads the log until a record has a message.
func (s *running) logs(t *testing.T, message string) map[string]any {
	t.Helper()
	read := []string{}
	for s.records.Scan() {
		read = append(read, s.records.Text())
		var record map[string]any
		if err := json.Unmarshal(s.records.Bytes(), &record); err != nil {
			t.Fatalf("log: got %q, want JSON", s.records.Text())
		}
		if text, _ := record["msg"].(string); strings.HasPrefix(text, message) {
			return record
		}
	}
	t.Fatalf("log: got\n%s\nwant a record with the message %q", strings.Join(read, "\n"), message)
	return nil
}

// stop sends a signal, and expects the exit code 0.
func (s *running) stop(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := s.process.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	s.wait(t)
}

func (s *running) wait(t *testing.T) {
	t.Helper()
	s.logs(t, "stopped")
	for s.records.Scan() { // until the process closes the pipe
	}
	if err := s.process.Wait(); err != nil {
		t.Errorf("server after a signal: got %v, want exit code 0", err)
	}
}

// client returns a client of the server for a token.
func (s *running) client(t *testing.T, token string) *promptrails.Client {
	t.Helper()
	c, err := promptrails.NewClient(promptrails.WithoutEnvironment(), promptrails.WithBaseURL(s.url), promptrails.WithAccessToken(token))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
