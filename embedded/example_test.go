package embedded_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/promptrails-community/promptrails-go/embedded"
)

// A backup is written to a file next to its final name, so that a backup that failed
// does not replace the previous one.
func ExampleService_Backup() {
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	key := make([]byte, 32) // from your secret store
	service, err := embedded.Open(ctx, embedded.Config{DSN: filepath.Join(folder, "workspaces.db"), MasterKey: key})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = service.Close() }()

	backup := filepath.Join(folder, "backup.db")
	f, err := os.OpenFile(backup+".part", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := service.Backup(ctx, f); err != nil {
		log.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		log.Fatal(err)
	}
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
	if err := os.Rename(backup+".part", backup); err != nil {
		log.Fatal(err)
	}

	restored, err := embedded.Open(ctx, embedded.Config{DSN: backup, MasterKey: key})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("restored", restored.Close() == nil)
	// Output: restored true
}

func ExampleService_Check() {
	ctx := context.Background()
	service, err := embedded.Open(ctx, embedded.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = service.Close() }()

	report, err := service.Check(ctx, nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range report.Problems {
		fmt.Println(p.Workspace, p.Kind, p.What, "To mend it:", p.Mend)
	}
	fmt.Println(len(report.Problems), "problems")
	// Output: 0 problems
}
