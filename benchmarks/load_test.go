package benchmarks

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// BenchmarkCommit is the floor of BenchmarkLoad: one caller that inserts and commits
// single rows with the same driver and the same durability.
func BenchmarkCommit(b *testing.B) {
	db, err := sql.Open("sqlite", filepath.Join(b.TempDir(), "floor.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(b.Context(), "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT) STRICT"); err != nil {
		b.Fatal(err)
	}
	insert, err := db.PrepareContext(b.Context(), "INSERT INTO t (a) VALUES ($1)")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := insert.ExecContext(b.Context(), "some text"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
}

// BenchmarkRead measures reads over the loopback with 16 connections, of a service on a
// file. The floor is a handler that writes a constant of the size of one object.
func BenchmarkRead(b *testing.B) {
	service, err := embedded.Open(b.Context(), embedded.Config{DSN: filepath.Join(b.TempDir(), "workspaces.db"), DefaultPlan: promptrails.PlanEnterprise})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = service.Close() })
	c, _ := ownerOf(b, service)
	var credential *promptrails.Credential
	for i := range 100 {
		credential, err = c.Credentials.Create(b.Context(), &promptrails.CreateCredentialParams{Name: fmt.Sprint("c", i), Type: "openai", Value: promptrails.NewSecret("sk-value-0123456789")})
		if err != nil {
			b.Fatal(err)
		}
	}
	key, err := c.APIKeys.Create(b.Context(), &promptrails.CreateAPIKeyParams{Name: "k", Scopes: promptrails.Scopes{promptrails.ScopeCredentialsRead}})
	if err != nil {
		b.Fatal(err)
	}
	body := bytes.Repeat([]byte("x"), 500)
	bare := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	for _, read := range []struct {
		name, path string
		handler    http.Handler
	}{
		{"floor", "/", bare},
		{"get", "/api/v1/credentials/" + credential.ID, service},
		{"list of 20", "/api/v1/credentials", service},
	} {
		b.Run(read.name, func(b *testing.B) {
			server := httptest.NewServer(read.handler)
			defer server.Close()
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
			var callers sync.WaitGroup
			next := make(chan struct{}, b.N)
			for range b.N {
				next <- struct{}{}
			}
			close(next)
			b.ResetTimer()
			for range 16 {
				callers.Go(func() {
					for range next {
						r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, server.URL+read.path, http.NoBody)
						if err != nil {
							b.Error(err)
							return
						}
						r.Header.Set("X-API-Key", key.Key.Reveal())
						resp, err := client.Do(r)
						if err != nil {
							b.Error(err)
							return
						}
						if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
							b.Errorf("got %d, %v", resp.StatusCode, err)
						}
						_ = resp.Body.Close()
					}
				})
			}
			callers.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "reads/s")
		})
	}
}

// BenchmarkLoad measures concurrent callers of a service on a file: writes per second
// with their 50th and 99th percentile, with and without concurrent readers. Each write creates a
// credential, with its changelog entry, and is synced to the disk.
func BenchmarkLoad(b *testing.B) {
	for _, load := range []struct{ writers, readers int }{{1, 0}, {16, 0}, {64, 0}, {2000, 0}, {4, 28}, {16, 16}} {
		b.Run(fmt.Sprintf("%dwriters/%dreaders", load.writers, load.readers), func(b *testing.B) {
			c, w := owner(b, embedded.Config{DSN: filepath.Join(b.TempDir(), "workspaces.db"), DefaultPlan: promptrails.PlanEnterprise})
			ctx, stop := context.WithCancel(b.Context())
			var reading, writing sync.WaitGroup
			reads := make([]int, load.readers)
			for i := range reads {
				reading.Go(func() {
					for ctx.Err() == nil {
						if _, err := c.Workspaces.Get(ctx, w.ID); err == nil {
							reads[i]++
						}
					}
				})
			}
			took := make([]time.Duration, b.N)
			next := make(chan int, b.N)
			for i := range b.N {
				next <- i
			}
			close(next)
			b.ResetTimer()
			for range load.writers {
				writing.Go(func() {
					for i := range next {
						began := time.Now()
						if _, err := c.Credentials.Create(b.Context(), &promptrails.CreateCredentialParams{Name: "c", Type: "openai", Value: promptrails.NewSecret("sk-value-0123456789")}); err != nil {
							b.Error(err)
						}
						took[i] = time.Since(began)
					}
				})
			}
			writing.Wait()
			b.StopTimer()
			stop()
			reading.Wait()
			slices.Sort(took)
			total := 0
			for _, n := range reads {
				total += n
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "writes/s")
			b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "reads/s")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}
