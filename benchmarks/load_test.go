package benchmarks

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// BenchmarkLoad measures concurrent callers of a service on a file: writes per second
// with their 50th and 99th percentile, alone and next to readers. Each write creates a
// credential, with its changelog entry, and is synced to the disk.
func BenchmarkLoad(b *testing.B) {
	for _, load := range []struct{ writers, readers int }{{1, 0}, {16, 0}, {64, 0}, {4, 28}, {16, 16}} {
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
