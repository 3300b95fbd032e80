package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// pocketBaseProgram is the path of the program that is built from the folder
// pocketbase.
type pocketBaseProgram string

func buildPocketBase(ctx context.Context, dir string) (pocketBaseProgram, error) {
	program := filepath.Join(dir, "pocketbase")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, ".") //nolint:gosec // a module of this repository
	cmd.Dir, cmd.Stderr = "pocketbase", os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build PocketBase: %w; run measure in the folder benchmarks", err)
	}
	return pocketBaseProgram(program), nil
}

// start starts PocketBase with its data in dir.
func (p pocketBaseProgram) start(ctx context.Context, dir string) (*child, error) {
	return start(exec.CommandContext(ctx, string(p), filepath.Join(dir, "pocketbase"))) //nolint:gosec // the program that was built
}
