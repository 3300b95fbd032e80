// Package benchmarks measures the client and the service. Compare each result with
// the floor measured in the same run:
//
//	go test -bench . -count 6 | tee new.txt && benchstat new.txt
package benchmarks

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// page is the JSON of 100 changelog entries.
func page() []byte {
	var b bytes.Buffer
	b.WriteString(`{"data":[`)
	for i := range 100 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"action":"updated","actor":{"id":"3MVOWo1xF7FAhBXJx8TdMd8GK1h","name":"Ada","type":"user"},"changes":{"name":{"from":"a","to":"b"}},`+
			`"hash":"%064x","id":"3MVOWo1xF7FAhBXJx8TdMd8GK1h","ip":"203.0.113.9","occurred_at":"2026-01-02T03:04:05.000006Z","prev_hash":"%064x","request_id":"3MVOWo1xF7FAhBXJx8TdMd8GK1h",`+
			`"resource":{"id":"3MVOWo1xF7FAhBXJx8TdMd8GK1h","name":"Research","type":"workspace"},"sequence":%d,"user_agent":"promptrails-go/0.1.0","workspace_id":"2N8Dx8a2a1qUspBKbP02vqP29eH"}`, i, i-1+1, i+1)
	}
	b.WriteString(`],"meta":{"limit":100}}`)
	return b.Bytes()
}

// BenchmarkChangelogPage reads a page of 100 entries with the client. The floor reads
// it with net/http and does not decode it.
func BenchmarkChangelogPage(b *testing.B) {
	body := page()
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
