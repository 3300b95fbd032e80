package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// pseudoTerminal returns the two files of a terminal: that of the person, and that of
// the program.
func pseudoTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("requires pseudo terminals: %v", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	fd := int(person.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	// The read that was interrupted uses program until person is closed.
	return person, program
}

// A question returns after Ctrl-C. Text that is typed afterwards is shown again.
func TestInterruptedPrompt(t *testing.T) {
	t.Parallel()
	_, terminal := pseudoTerminal(t)
	echoes := func() bool {
		state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
		if err != nil {
			t.Fatal(err)
		}
		return state.Lflag&unix.ECHO != 0
	}
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stderr.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	a := &app{stdin: terminal, stderr: stderr, interrupted: ctx.Done()}
	done := make(chan error, 1)
	go func() {
		_, err := a.readSecret("-")
		done <- err
	}()
	for echoes() {
		// until the program waits for the secret
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted secret: got error %v, want that it was canceled", err)
	}
	if !echoes() {
		t.Error("terminal after the interruption: got one that hides what is typed")
	}
	if err := a.confirm("delete all"); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted confirmation: got error %v, want that it was canceled", err)
	}
}
