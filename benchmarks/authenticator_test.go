package benchmarks

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

const key = "pr_live_00000000000000000000000000000000000000000014OogJJ"

// verifier is a KeyVerifier without a network. It counts its calls.
type verifier struct {
	pause time.Duration
	calls atomic.Int64
}

// VerifyKey accepts every key. Some keys have address and origin lists.
func (v *verifier) VerifyKey(_ context.Context, key promptrails.Secret) (*promptrails.APIKey, error) {
	v.calls.Add(1)
	time.Sleep(v.pause)
	k := &promptrails.APIKey{
		ID: "3MVOWo1xF7FAhBXJx8TdMd8GK1h", WorkspaceID: "2N8Dx8a2a1qUspBKbP02vqP29eH", Name: "A key",
		Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead, promptrails.ScopeAgentsExecute, promptrails.ScopeTracesRead},
	}
	if key.Reveal() == listedKey {
		k.AllowedIPs = []string{"198.51.100.0/24", "203.0.113.0/24"}
		k.AllowedOrigins = []string{"https://app.example.com", "https://*.example.org"}
	}
	return k, nil
}

const listedKey = "pr_live_listed"

// authenticator returns an authenticator with v, a long TTL and no rate limit.
func authenticator(b *testing.B, v *verifier, opts ...promptrails.AuthenticatorOption) *promptrails.Authenticator {
	b.Helper()
	a, err := promptrails.NewAuthenticator(nil, append(opts, promptrails.WithAuthVerifier(v),
		promptrails.WithAuthCacheTTL(time.Hour), promptrails.WithAuthUnknownKeyRate(1e12, 1e12))...)
	if err != nil {
		b.Fatal(err)
	}
	return a
}

// BenchmarkAuthenticate authenticates a cached key. The floor computes the hash of
// the key.
func BenchmarkAuthenticate(b *testing.B) {
	b.Run("floor", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = sha256.Sum256([]byte(key))
		}
	})
	a := authenticator(b, &verifier{})
	plain := promptrails.AuthRequest{IP: netip.MustParseAddr("203.0.113.9"), Scopes: []promptrails.Scope{promptrails.ScopeTracesRead}}
	listed := plain
	listed.Origin = "https://app.example.com"
	authenticate := func(b *testing.B, key string, r promptrails.AuthRequest) { //nolint:thelper // Helper takes a third of the time
		if _, err := a.Authenticate(b.Context(), key, r); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			authenticate(b, key, plain)
		}
	})
	b.Run("with lists", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			authenticate(b, listedKey, listed)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				authenticate(b, key, plain)
			}
		})
	})
}

// BenchmarkMiddleware calls an empty handler with and without the middleware.
func BenchmarkMiddleware(b *testing.B) {
	bare := http.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	guarded := authenticator(b, &verifier{}).Middleware(promptrails.ScopeTracesRead)(bare)
	for name, handler := range map[string]http.Handler{"floor": bare, "middleware": guarded} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", http.NoBody)
			r.RemoteAddr = "203.0.113.9:50000"
			r.Header.Set("X-API-Key", key)
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(w, r)
			}
			if w.Code != http.StatusOK {
				b.Fatalf("got status %d, want %d", w.Code, http.StatusOK)
			}
		})
	}
}

// BenchmarkMillionKeys reports the memory of an authenticator of the default size
// after a million different keys.
func BenchmarkMillionKeys(b *testing.B) {
	const keys = 1_000_000
	for b.Loop() {
		a := authenticator(b, &verifier{})
		before := heap()
		for i := range keys {
			if _, err := a.Authenticate(b.Context(), fmt.Sprintf("pr_live_%d", i), promptrails.AuthRequest{}); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric((heap()-before)/(1<<20), "MiB-held")
		runtime.KeepAlive(a)
	}
}

// heap returns the size of the heap in bytes.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkBurst authenticates a new key for 1000 concurrent callers, with an API that
// responds after a millisecond.
func BenchmarkBurst(b *testing.B) {
	v := &verifier{pause: time.Millisecond}
	for i := 0; b.Loop(); i++ {
		a := authenticator(b, v)
		var callers sync.WaitGroup
		for range 1000 {
			callers.Go(func() {
				if _, err := a.Authenticate(b.Context(), key, promptrails.AuthRequest{}); err != nil {
					b.Error(err)
				}
			})
		}
		callers.Wait()
	}
	b.ReportMetric(float64(v.calls.Load())/float64(b.N), "calls/burst")
}
