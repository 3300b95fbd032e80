// Package benchmarks measures the client and the service. Compare each result with
// the floor measured in the same run:
//
//	go test -bench . -count 6 | tee new.txt && benchstat new.txt
package benchmarks

import (
	"fmt"
	"path/filepath"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// BenchmarkService measures a read, and a change with its changelog entry and
// idempotent response, through the in-process client.
func BenchmarkService(b *testing.B) {
	for _, dsn := range []string{"", filepath.Join(b.TempDir(), "workspaces.db")} {
		name := "memory"
		if dsn != "" {
			name = "file"
		}
		c, w := owner(b, embedded.Config{DSN: dsn})
		b.Run(name+"/read", func(b *testing.B) {
			for b.Loop() {
				if _, err := c.Workspaces.Get(b.Context(), w.ID); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/change", func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				if _, err := c.Workspaces.Update(b.Context(), w.ID, &promptrails.UpdateWorkspaceParams{Name: new(fmt.Sprint("Name ", i))}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
