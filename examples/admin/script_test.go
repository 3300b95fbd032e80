package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// The scripts run the program as a process, with a server and the token of its owner.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: got %q, error %v; want some", files, err)
	}
	s := promptrailstest.New(t)
	token, err := os.ReadFile(tokenFile(t, s))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Files: files, Setup: func(e *testscript.Env) error {
		e.Setenv("SERVER", s.URL)
		e.Setenv("TOKEN", strings.TrimSpace(string(token)))
		e.Setenv("NO_COLOR", "")
		e.Setenv("TERM", "xterm")
		return nil
	}})
}

// The session in README.md is a script. Ids, keys, times and sequences may differ.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, session, _ := strings.Cut(string(readme), "```console\n")
	session, _, _ = strings.Cut(session, "```")
	var script strings.Builder
	commands := 0
	for part := range strings.SplitSeq("\n"+session, "\n$ ") {
		command, output, _ := strings.Cut(part, "\n")
		name, value, isVariable := strings.Cut(strings.TrimPrefix(command, "export "), "=")
		switch {
		case command == "":
		case isVariable && strings.HasPrefix(command, "export "):
			script.WriteString("env " + name + "=" + value + "\n")
		default:
			commands++
			script.WriteString("exec sh -c " + quote("{ "+command+"; } 2>&1; true") + "\n")
			script.WriteString("stdout " + quote(`\A`+pattern(strings.TrimSuffix(output, "\n"))+`\n*\z`) + "\n")
		}
	}
	if commands < 10 {
		t.Fatalf("session: got %d commands, want at least 10", commands)
	}
	file := filepath.Join(t.TempDir(), "readme.txtar")
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{Files: []string{file}})
}

// quote returns text as an argument of a script.
func quote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// variable are the parts of the output that differ between two runs.
var variable = regexp.MustCompile(`[0-9A-Za-z]{27}|pr_live_\S+…\S+|\d{4}-\d{2}-\d{2}(T[0-9:.]+Z| \d{2}:\d{2})?`)

// pattern returns a regular expression of an output on one line of a script.
func pattern(output string) string {
	escaped := regexp.QuoteMeta(output)
	escaped = variable.ReplaceAllString(escaped, `\S+`+`( \d{2}:\d{2})?`)
	return strings.ReplaceAll(strings.ReplaceAll(escaped, "\n", `\n`), "  ", " +")
}

// process returns the program as a process, with the server and token of x.
func (x *admin) process(args ...string) *exec.Cmd {
	x.t.Helper()
	program, err := os.Executable()
	if err != nil {
		x.t.Fatal(err)
	}
	cmd := exec.CommandContext(x.t.Context(), program)
	cmd.Args = append(append([]string{"admin"}, x.credentials...), args...) // TestMain runs the program of this name
	return cmd
}

// A signal for a closed pipe does not end the program in the middle of a change. An
// interruption has the same error as another failure.
func TestSignals(t *testing.T) {
	t.Parallel()
	r := newRotated(t, 0)
	cmd := r.process("keys", "rotate", r.old)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = closedPipe(t), &stderr
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(stderr.String(), "rolled back") {
		t.Errorf("keys rotate to a closed pipe: got %v, stderr %q; want exit code 1, and a rollback", err, &stderr)
	}
	if runtime.GOOS == "windows" {
		return // processes do not get other signals
	}
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // with nohup, the program ignores it too
		signals = append(signals, syscall.SIGHUP)
	}
	for _, sent := range signals {
		cmd := r.process("keys", "rotate", r.old, "--", "cat")
		text := new(strings.Builder)
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = writer
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = writer.Close()
		for lines := bufio.NewScanner(reader); lines.Scan(); {
			text.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "waiting until") {
				if err := cmd.Process.Signal(sent); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = reader.Close()
		if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitFailed || !strings.Contains(text.String(), "interrupted: ") || !strings.Contains(text.String(), "admin keys revoke "+r.old) {
			t.Errorf("%s during keys rotate: got %v, stderr %q; want exit code 1, and how to revoke the old key", sent, err, text)
		}
	}
}
