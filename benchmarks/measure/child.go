package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// The environment variables of a child process. A DSN is not an argument, because
// other users can read the arguments of a process.
const (
	roleVariable = "MEASURE_ROLE"
	dsnVariable  = "MEASURE_DSN"
)

// target is a running server. It prints its target as one line of JSON. Then it
// prints its CPU time in nanoseconds for each line that it reads, and exits at the
// end of its input.
type target struct {
	Address  string                `json:"address"`
	Header   string                `json:"header,omitempty"` // authenticates a request
	Requests map[operation]request `json:"requests"`
	Floor    *floorRows            `json:"floor,omitempty"`
}

// request is a request of a target. It is a POST if it has a body.
type request struct {
	Path string `json:"path"`
	Body string `json:"body,omitempty"`
}

// floorRows identify rows of a workspace that only pgbench uses.
type floorRows struct {
	Workspace  string `json:"workspace"`
	KeyHash    string `json:"key_hash"` // in hexadecimal
	Credential string `json:"credential"`
}

// child is a server in another process.
type child struct {
	target

	process *exec.Cmd
	input   io.WriteCloser
	output  *bufio.Reader
}

// ownProcess returns the command that runs this program in a role.
func ownProcess(ctx context.Context, role, dsn string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program) //nolint:gosec // this program
	cmd.Env = append(os.Environ(), roleVariable+"="+role, dsnVariable+"="+dsn)
	return cmd, nil
}

// startOwn starts a server of this program.
func startOwn(ctx context.Context, role, dsn string) (*child, error) {
	cmd, err := ownProcess(ctx, role, dsn)
	if err != nil {
		return nil, err
	}
	return start(cmd)
}

// start starts a server and reads its target.
func start(cmd *exec.Cmd) (*child, error) {
	c := &child{process: cmd}
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
	c.input, c.output = input, bufio.NewReader(output)
	line, err := c.output.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &c.target)
	}
	if err != nil {
		return nil, fmt.Errorf("start a server: %w", errors.Join(err, c.stop()))
	}
	return c, nil
}

// cpu returns the CPU time of the server.
func (c *child) cpu() (time.Duration, error) {
	if _, err := io.WriteString(c.input, "\n"); err != nil {
		return 0, err
	}
	line, err := c.output.ReadString('\n')
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return time.Duration(n), err
}

// stop stops the server and waits for it.
func (c *child) stop() error { return errors.Join(c.input.Close(), c.process.Wait()) }

// report is the side of the server: it prints t and then CPU times until the end of
// the input.
func (t *target) report() error {
	if err := json.NewEncoder(os.Stdout).Encode(t); err != nil {
		return err
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		used, err := cpuTime()
		if err != nil {
			return err
		}
		if _, err := fmt.Println(used.Nanoseconds()); err != nil {
			return err
		}
	}
	return lines.Err()
}
