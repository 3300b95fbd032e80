package benchmarks

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Of the lists that BenchmarkIterate reads.
const (
	latency   = 5 * time.Millisecond // of each request
	longPages = 60
	longLimit = 20
)

// longLists serves members by page number and a changelog by sequence, each with
// longPages pages. It encodes each response only once.
func longLists() http.HandlerFunc {
	var responses sync.Map
	return func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(latency)
		response, ok := responses.Load(r.URL.String())
		if !ok {
			response, _ = responses.LoadOrStore(r.URL.String(), longPage(r.URL))
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(response.([]byte))
	}
}

func longPage(u *url.URL) []byte {
	const total = longPages * longLimit
	number := func(name string, def int) int {
		if n, err := strconv.Atoi(u.Query().Get(name)); err == nil {
			return n
		}
		return def
	}
	page, limit := number("page", 1), number("limit", longLimit)
	meta := map[string]int{"limit": limit, "total": total, "page": page, "pages": (total + limit - 1) / limit}
	from, to := total-(page-1)*limit, max(1, total-page*limit+1) // newest first
	if strings.HasSuffix(u.Path, "/changelog") {
		from = min(total, number("sequence_to", total))
		to = max(1, number("sequence_from", 1), from-limit+1)
		meta = map[string]int{"limit": limit}
	}
	data := []map[string]any{}
	for n := from; n >= to; n-- {
		data = append(data, map[string]any{"id": fmt.Sprintf("%027d", n), "sequence": n})
	}
	response, _ := json.Marshal(map[string]any{"data": data, "meta": meta})
	return response
}

// BenchmarkIterate reads lists with 60 pages from a server that responds after 5 ms.
// The floor requests the pages one after another with net/http and does not decode
// them.
func BenchmarkIterate(b *testing.B) {
	server := httptest.NewServer(longLists())
	b.Cleanup(server.Close)
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			for page := range longPages {
				resp, err := http.Get(fmt.Sprintf("%s/members?page=%d", server.URL, page+1))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
			}
		}
	})
	c, err := promptrails.NewClient(promptrails.WithBaseURL(server.URL), promptrails.WithAccessToken("t"), promptrails.WithWorkspace("w"))
	if err != nil {
		b.Fatal(err)
	}
	options := promptrails.ListOptions{Limit: longLimit}
	for _, prefetch := range []int{0, 1, 8} {
		b.Run(fmt.Sprintf("numbers prefetch=%d", prefetch), func(b *testing.B) {
			for b.Loop() {
				n := 0
				for _, err := range c.Members.All(b.Context(), &promptrails.ListMembersParams{ListOptions: options}, promptrails.WithPrefetch(prefetch)) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != longPages*longLimit {
					b.Fatalf("got %d members, want %d", n, longPages*longLimit)
				}
			}
		})
		b.Run(fmt.Sprintf("changelog prefetch=%d", prefetch), func(b *testing.B) {
			for b.Loop() {
				n := 0
				for _, err := range c.Changelog.All(b.Context(), &promptrails.ListChangelogParams{ListOptions: options}, promptrails.WithPrefetch(prefetch)) {
					if err != nil {
						b.Fatal(err)
					}
					n++
				}
				if n != longPages*longLimit {
					b.Fatalf("got %d entries, want %d", n, longPages*longLimit)
				}
			}
		})
	}
}
