package benchmarks

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/benchmarks/internal/documents"
)

// BenchmarkVerifyChangelog verifies 1000 decoded entries. The floor computes the
// SHA-256 of their JSON.
func BenchmarkVerifyChangelog(b *testing.B) {
	chain, err := documents.Chain(1000)
	if err != nil {
		b.Fatal(err)
	}
	entries := make([]*promptrails.ChangelogEntry, len(chain))
	for i, document := range chain {
		entries[i] = new(promptrails.ChangelogEntry)
		if err := json.Unmarshal(document, entries[i]); err != nil {
			b.Fatal(err)
		}
	}
	rate := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(b.N*len(entries))/b.Elapsed().Seconds(), "entries/s")
	}
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			for _, document := range chain {
				_ = sha256.Sum256(document)
			}
		}
		rate(b)
	})
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := promptrails.VerifyChangelog(func(yield func(*promptrails.ChangelogEntry, error) bool) {
				for _, entry := range entries {
					if !yield(entry, nil) {
						return
					}
				}
			}, nil)
			if err != nil {
				b.Fatal(err)
			}
		}
		rate(b)
	})
}

// BenchmarkScopeRefusal makes calls that the client refuses because of their scope.
func BenchmarkScopeRefusal(b *testing.B) {
	c, err := promptrails.NewClient(promptrails.WithBaseURL("https://api.example.com"), promptrails.WithAPIKey(key), promptrails.WithScopes(promptrails.ScopeTracesRead, promptrails.ScopeAgentsRead))
	if err != nil {
		b.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"get":  func() error { _, err := c.Members.Get(b.Context(), "3MVOWo1xF7FAhBXJx8TdMd8GK1h"); return err },
		"list": func() error { _, err := c.Members.List(b.Context(), nil); return err },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := call(); !errors.Is(err, promptrails.ErrForbidden) {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGet gets one object over the loopback. The floor does the same with
// net/http and encoding/json, with a timeout.
func BenchmarkGet(b *testing.B) {
	object, id := documents.One(documents.Credential(1)), documents.ID(1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(object)
	}))
	defer server.Close()
	b.Run("floor", func(b *testing.B) {
		client := &http.Client{Timeout: 30 * time.Second}
		b.ReportAllocs()
		for b.Loop() {
			r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+"/api/v1/credentials/"+id, http.NoBody)
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer t")
			r.Header.Set("X-Workspace-ID", "w")
			r.Header.Set("Accept", "application/json")
			r.Header.Set("User-Agent", "floor")
			resp, err := client.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			var envelope struct {
				Data *bareCredential `json:"data"`
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err == nil {
				err = json.Unmarshal(body, &envelope)
			}
			if err != nil || resp.StatusCode != http.StatusOK || envelope.Data.ID == "" {
				b.Fatal(fmt.Errorf("status %d: %w", resp.StatusCode, err))
			}
		}
	})
	b.Run("client", func(b *testing.B) {
		c, err := promptrails.NewClient(promptrails.WithBaseURL(server.URL), promptrails.WithAccessToken("t"), promptrails.WithWorkspace("w"))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Credentials.Get(b.Context(), id); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// bareCredential has the fields of a credential without its methods.
type bareCredential promptrails.Credential
