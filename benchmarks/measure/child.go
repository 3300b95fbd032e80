package main

import (
	"context"
	"os/exec"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/process"
)

// The environment variables of a child process. A DSN is not an argument, because
// other users can read the arguments of a process.
const (
	roleVariable = "MEASURE_ROLE"
	dsnVariable  = "MEASURE_DSN"
)

// target is a running server.
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
	*process.Process
	target
}

// ownProcess returns the command that runs this program in a role.
func ownProcess(ctx context.Context, role, dsn string) (*exec.Cmd, error) {
	return process.Own(ctx, roleVariable+"="+role, dsnVariable+"="+dsn)
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
	c := new(child)
	p, err := process.Start(cmd, &c.target)
	if err != nil {
		return nil, err
	}
	c.Process = p
	return c, nil
}
