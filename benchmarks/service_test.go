// Package benchmarks measures the client and the service. Compare each result with
// the floor measured in the same run:
//
//	go test -bench . -count 6 | tee new.txt && benchstat new.txt
package benchmarks

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/benchmarks/internal/documents"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// BenchmarkChangelogPage reads a page of 100 entries with the client. The floor reads
// it with net/http and does not decode it.
func BenchmarkChangelogPage(b *testing.B) {
	chain, err := documents.Chain(100)
	if err != nil {
		b.Fatal(err)
	}
	body := documents.Changelog(chain, 0, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	defer server.Close()
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			resp, err := http.Get(server.URL) //nolint:noctx // the floor
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	b.Run("client", func(b *testing.B) {
		c, err := promptrails.NewClient(promptrails.WithBaseURL(server.URL), promptrails.WithAccessToken("t"), promptrails.WithWorkspace("w"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Changelog.List(b.Context(), nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

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
