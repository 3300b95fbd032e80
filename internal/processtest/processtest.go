// Package processtest runs the program of a test as a process: the test binary again,
// which calls main instead of the tests.
package processtest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// runMain is the variable that makes a test binary call main.
const runMain = "PROMPTRAILS_TEST_RUN_MAIN"

// Main is TestMain of a program. It calls main in a process of [Command].
func Main(m *testing.M, main func()) {
	if os.Getenv(runMain) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// Command returns a process of the program in the folder dir. Its environment has no
// settings except env.
func Command(t testing.TB, dir string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	process := exec.CommandContext(t.Context(), self, args...) //nolint:gosec // the test itself
	process.Dir = dir
	process.Env = append([]string{runMain + "=1", "PATH=" + os.Getenv("PATH"), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT"), "TMPDIR=" + os.TempDir(), "GOCOVERDIR=" + os.TempDir()}, env...)
	return process
}

// Outcome is the result of a process.
type Outcome struct {
	Code           int
	Stdout, Stderr string
}

// Run runs the program until it exits.
func Run(t testing.TB, dir string, env []string, args ...string) Outcome {
	t.Helper()
	process := Command(t, dir, env, args...)
	var stdout, stderr bytes.Buffer
	process.Stdout, process.Stderr = &stdout, &stderr
	if err := process.Run(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatal(err)
		}
	}
	return Outcome{process.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// Succeeds fails the test unless a process has exited with 0 and written nothing to
// stderr. It returns stdout without the last newline.
func (o Outcome) Succeeds(t testing.TB) string {
	t.Helper()
	if o.Code != 0 || o.Stderr != "" {
		t.Fatalf("got exit code %d, stdout %q, stderr %q; want 0, and no stderr", o.Code, o.Stdout, o.Stderr)
	}
	return strings.TrimSuffix(o.Stdout, "\n")
}

// Fails fails the test unless a process has exited with a code, and written part to
// stderr and nothing to stdout.
func (o Outcome) Fails(t testing.TB, code int, part string) {
	t.Helper()
	if o.Code != code || o.Stdout != "" || !strings.Contains(o.Stderr, part) {
		t.Errorf("got exit code %d, stdout %q, stderr %q; want %d, no stdout, and stderr with %q", o.Code, o.Stdout, o.Stderr, code, part)
	}
}

// CheckUsage fails the test unless -h prints each of the names and exits with 0, and
// unknown flags and surplus arguments exit with 2.
func CheckUsage(t testing.TB, names ...string) {
	t.Helper()
	help := Run(t, t.TempDir(), nil, "-h")
	if help.Code != 0 {
		t.Errorf("-h: got exit code %d, want 0", help.Code)
	}
	for _, name := range names {
		if !strings.Contains(help.Stdout+help.Stderr, name) {
			t.Errorf("-h: got\n%s%s\nwant it to contain %s", help.Stdout, help.Stderr, name)
		}
	}
	Run(t, t.TempDir(), nil, "-no-such-flag").Fails(t, 2, "-no-such-flag")
	Run(t, t.TempDir(), nil, "surplus").Fails(t, 2, `unexpected argument "surplus"`)
}

// Process is a program that runs.
type Process struct {
	*exec.Cmd
	output *bufio.Scanner // stdout and stderr
}

// Start starts a program. It is killed at the end of the test, unless it has ended.
func Start(t testing.TB, dir string, env []string, args ...string) *Process {
	t.Helper()
	process := Command(t, dir, env, args...)
	output, err := process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	process.Stderr = process.Stdout
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Kill(); _ = process.Wait() })
	return &Process{process, bufio.NewScanner(output)}
}

// Until reads lines of the output until one contains part, and returns it.
func (p *Process) Until(t testing.TB, part string) string {
	t.Helper()
	var read []string
	for p.output.Scan() {
		read = append(read, p.output.Text())
		if strings.Contains(p.output.Text(), part) {
			return p.output.Text()
		}
	}
	t.Fatalf("output: got\n%s\nwant a line with %q", strings.Join(read, "\n"), part)
	return ""
}

// Signal sends a signal to the program.
func (p *Process) Signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// End waits until the program exits, and fails the test unless its exit code is code. It
// returns the rest of the output.
func (p *Process) End(t testing.TB, code int) string {
	t.Helper()
	var rest strings.Builder
	for p.output.Scan() {
		_, _ = io.WriteString(&rest, p.output.Text()+"\n")
	}
	_ = p.Wait() // the exit code is below
	if got := p.ProcessState.ExitCode(); got != code {
		t.Errorf("exit: got %v, output\n%s\nwant exit code %d", p.ProcessState, &rest, code)
	}
	return rest.String()
}
