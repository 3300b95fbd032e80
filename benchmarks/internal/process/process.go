// Package process runs servers in child processes, which separates their CPU time
// from that of their clients.
package process

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Own returns the command that runs this program with more environment variables.
func Own(ctx context.Context, env ...string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program) //nolint:gosec // this program
	cmd.Env = append(os.Environ(), env...)
	return cmd, nil
}

// Process is a child process that calls [Report].
type Process struct {
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
}

// Start starts a process and decodes its target.
func Start(cmd *exec.Cmd, target any) (*Process, error) {
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &Process{cmd, input, bufio.NewReader(output)}
	line, err := p.output.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, target)
	}
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", errors.Join(err, p.Stop()))
	}
	return p, nil
}

// CPU returns the CPU time of the process.
func (p *Process) CPU() (time.Duration, error) {
	if _, err := io.WriteString(p.input, "\n"); err != nil {
		return 0, err
	}
	line, err := p.output.ReadString('\n')
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return time.Duration(n), err
}

// Stop stops the process and waits for it.
func (p *Process) Stop() error { return errors.Join(p.input.Close(), p.cmd.Wait()) }

// Kill kills the process, as a crash does, and waits for it. It returns an error if the
// process has ended before.
func (p *Process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	err := p.cmd.Wait()
	if p.cmd.ProcessState.Exited() && runtime.GOOS != "windows" {
		return fmt.Errorf("the process has ended before it was killed: %w", cmp.Or(err, errors.New("without an error")))
	}
	return nil
}

// Report is the side of the child. It prints the target as one line of JSON. Then it
// prints its CPU time in nanoseconds for each line that it reads, until the end of its
// input.
func Report(target any) error {
	if err := json.NewEncoder(os.Stdout).Encode(target); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		used, err := CPUTime()
		if err != nil {
			return err
		}
		if _, err := fmt.Println(used.Nanoseconds()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// Serve serves on the loopback and reports the target of an address, until the parent
// process closes the input.
func Serve(ctx context.Context, handler http.Handler, target func(address string) any) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	err = errors.Join(Report(target(listener.Addr().String())), server.Close())
	if e := <-done; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return err
}
