package promptrails_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// numbered is the meta of a server that has page numbers and totals.
func numbered(page, limit, items int) string {
	return fmt.Sprintf(`,"meta":{"total":%d,"page":%d,"limit":%d,"pages":%d}`, items, page, limit, (items+limit-1)/limit)
}

// members returns the ids of all members with a limit, and the error of the
// iteration.
func members(t *testing.T, c *promptrails.Client, limit, prefetch int) (ids []string, err error) {
	t.Helper()
	p := &promptrails.ListMembersParams{ListOptions: promptrails.ListOptions{Limit: limit}}
	for m, err := range c.Members.All(t.Context(), p, promptrails.WithPrefetch(prefetch)) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, m.ID)
	}
	return ids, nil
}

// memberIDs returns the ids of the first n members of an otherServer.
func memberIDs(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("m", i)
	}
	return ids
}

// holding is a server that holds the requests for all pages but the first until
// release is closed.
type holding struct {
	serve   http.HandlerFunc
	release chan struct{}

	mu      sync.Mutex
	held    []int // the pages of the requests that are held
	last    int   // the last page that was requested
	maximum int   // of requests at the same time
}

func (h *holding) handler(w http.ResponseWriter, r *http.Request) {
	if page, _ := strconv.Atoi(r.URL.Query().Get("page")); page > 1 {
		h.change(func() {
			h.held = append(h.held, page)
			h.last, h.maximum = max(h.last, page), max(h.maximum, len(h.held))
		})
		select {
		case <-h.release:
		case <-r.Context().Done():
		}
		h.change(func() { h.held = slices.DeleteFunc(h.held, func(p int) bool { return p == page }) })
	}
	h.serve(w, r)
}

func (h *holding) change(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// pages returns the pages that are held, after all goroutines are idle.
func (h *holding) pages() (held []int) {
	synctest.Wait()
	h.change(func() { held = slices.Sorted(slices.Values(h.held)) })
	return held
}

// WithPrefetch(n) requests the n pages after the current one at the same time. No
// request remains after the loop.
func TestConcurrentPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := &holding{serve: otherServer{items: 195, meta: numbered}.handler(), release: make(chan struct{})}
		c := clientOver(t, &scripted{script: []http.HandlerFunc{h.handler}})
		all := c.Members.All(t.Context(), &promptrails.ListMembersParams{ListOptions: promptrails.ListOptions{Limit: 10}}, promptrails.WithPrefetch(8))
		began := time.Now()
		for _, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]int{2, 3, 4, 5, 6, 7, 8, 9}, h.pages()); diff != "" {
				t.Errorf("pages that are requested during the first item (-want +got):\n%s", diff)
			}
			break
		}
		if held := h.pages(); len(held) > 0 || time.Since(began) > 0 {
			t.Errorf("got requests for the pages %v after the loop, which took %v; want no request and no wait", held, time.Since(began))
		}
		var ids []string
		for m, err := range all {
			if err != nil {
				t.Fatal(err)
			}
			if ids = append(ids, m.ID); len(ids) == 10 {
				time.AfterFunc(time.Second, func() {
					if diff := cmp.Diff([]int{2, 3, 4, 5, 6, 7, 8, 9, 10}, h.pages()); diff != "" {
						t.Errorf("pages that are requested while the loop waits for page 2 (-want +got):\n%s", diff)
					}
					close(h.release)
				})
			}
		}
		if diff := cmp.Diff(memberIDs(195), ids); diff != "" || h.last != 20 || h.maximum != 9 {
			t.Errorf("got page %d as the last of 20, and %d requests at the same time, want 9; ids (-want +got):\n%s", h.last, h.maximum, diff)
		}
	})
}

// If the first page does not show that page numbers are reliable, or the server has
// cursors, one request follows another.
func TestPagesThatAreNotConcurrent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		server  otherServer
		options promptrails.ListOptions
	}{
		"a page size below the limit": {otherServer{items: 200, maxPage: 10, meta: numbered}, promptrails.ListOptions{Limit: 20}},
		"a shorter page than in its meta": {otherServer{items: 200, maxPage: 10, meta: func(page, _, items int) string {
			return numbered(page, 20, items)
		}}, promptrails.ListOptions{Limit: 20}},
		"no total": {otherServer{items: 200, meta: func(page, limit, _ int) string {
			return fmt.Sprintf(`,"meta":{"page":%d,"limit":%d,"pages":20}`, page, limit)
		}}, promptrails.ListOptions{Limit: 10}},
		"another number of pages": {otherServer{items: 200, meta: func(page, limit, _ int) string {
			return fmt.Sprintf(`,"meta":{"page":%d,"limit":%d,"pages":50,"total":200}`, page, limit)
		}}, promptrails.ListOptions{Limit: 10}},
		"another limit": {otherServer{items: 200, meta: func(page, limit, items int) string {
			return strings.Replace(numbered(page, limit, items), `"limit":10`, `"limit":20`, 1)
		}}, promptrails.ListOptions{Limit: 10}},
		"few pages":               {otherServer{items: 30, meta: numbered}, promptrails.ListOptions{Limit: 10}},
		"a later page at first":   {otherServer{items: 200, meta: numbered}, promptrails.ListOptions{Limit: 10, Page: 3}},
		"a page that was reduced": {otherServer{items: 200, meta: numbered}, promptrails.ListOptions{Limit: 100}},
		"cursors": {otherServer{items: 10, meta: func(page, limit, items int) string {
			return strings.Replace(numbered(page, limit, items), "}", `,"next_cursor":"c"}`, 1)
		}}, promptrails.ListOptions{Limit: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				serve := c.server.handler()
				var running, maximum atomic.Int64
				a := &scripted{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
					maximum.Store(max(maximum.Load(), running.Add(1)))
					defer running.Add(-1)
					time.Sleep(time.Millisecond)
					serve(w, r)
				}}}
				for _, err := range clientOver(t, a, promptrails.WithMaxResponseSize(1<<10)).Members.All(t.Context(), &promptrails.ListMembersParams{ListOptions: c.options}, promptrails.WithPrefetch(8)) {
					if err != nil {
						break // some of the lists are not consistent
					}
				}
				if maximum.Load() != 1 || a.count() < 2 {
					t.Errorf("got %d requests, up to %d at the same time, want several, one after another", a.count(), maximum.Load())
				}
			})
		})
	}
}

// With a server that responds after 5 ms, 60 pages take as long as the first one, the
// check at the end, and the others in groups of nine. A changelog takes no check.
func TestConcurrentPagesAreFast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		delayed := func(serve http.HandlerFunc) *promptrails.Client {
			return clientOver(t, &scripted{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(5 * time.Millisecond)
				serve(w, r)
			}}})
		}
		began := time.Now()
		ids, err := members(t, delayed(otherServer{items: 600, meta: numbered}.handler()), 10, 8)
		if took := time.Since(began); err != nil || len(ids) != 600 || took != (1+7+1)*5*time.Millisecond {
			t.Errorf("Members.All: got %d items and error %v after %v, want 600 after 45ms", len(ids), err, took)
		}
		began = time.Now()
		n := 0
		for _, err := range delayed(shortChangelog(600, 10, "cursors")).Changelog.All(t.Context(), &promptrails.ListChangelogParams{ListOptions: promptrails.ListOptions{Limit: 10}}, promptrails.WithPrefetch(8)) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if took := time.Since(began); n != 600 || took != (1+7)*5*time.Millisecond {
			t.Errorf("Changelog.All: got %d entries after %v, want 600 after 40ms", n, took)
		}
	})
}

// If a page cannot be read, the loop gets the items of the previous pages and then the
// error.
func TestConcurrentPagesThatFail(t *testing.T) {
	t.Parallel()
	serve := otherServer{items: 200, meta: numbered}.handler()
	fifth := func(fail func(w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Query().Get("page") {
			case "5":
				fail(w, r)
			case "2", "3", "4": // these arrive after the failure
				time.Sleep(time.Second)
				serve(w, r)
			default:
				serve(w, r)
			}
		}
	}
	for name, c := range map[string]struct {
		fail http.HandlerFunc
		want string
	}{
		"a refusal": {status(404, ""), "404"},
		"a panic":   {func(http.ResponseWriter, *http.Request) { panic("transport failed") }, "transport failed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ids, err := members(t, clientOver(t, &scripted{script: []http.HandlerFunc{fifth(c.fail)}}), 10, 8)
				if diff := cmp.Diff(memberIDs(40), ids); diff != "" || err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got error %v, want one containing %q; ids (-want +got):\n%s", err, c.want, diff)
				}
			})
		})
	}
	t.Run("the check", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			a := &scripted{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Query().Get("limit") == "1" {
					status(404, "")(w, r)
					return
				}
				serve(w, r)
			}}}
			ids, err := members(t, clientOver(t, a), 10, 8)
			if diff := cmp.Diff(memberIDs(200), ids); diff != "" || !errors.Is(err, promptrails.ErrNotFound) {
				t.Errorf("got error %v, want ErrNotFound; ids (-want +got):\n%s", err, diff)
			}
		})
	})
	t.Run("a rate limit", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			var limited sync.Map
			a := &scripted{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
				if _, again := limited.LoadOrStore(r.URL.RawQuery, true); !again {
					status(429, `{"error":{"code":"rate_limited"}}`, "Retry-After", "1")(w, r)
					return
				}
				serve(w, r)
			}}}
			ids, err := members(t, clientOver(t, a), 10, 8)
			if diff := cmp.Diff(memberIDs(200), ids); diff != "" || err != nil {
				t.Errorf("got error %v, want no error; ids (-want +got):\n%s", err, diff)
			}
		})
	})
	t.Run("a page that is too large", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			a := &scripted{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
				q := r.URL.Query()
				page, _ := strconv.Atoi(q.Get("page"))
				limit, _ := strconv.Atoi(q.Get("limit"))
				if limit > 5 && page == 5 {
					status(200, `{"data":[`+strings.Repeat(" ", 64<<10)+`]}`)(w, r)
					return
				}
				serve(w, r)
			}}}
			ids, err := members(t, clientOver(t, a, promptrails.WithMaxResponseSize(32<<10)), 10, 8)
			if diff := cmp.Diff(memberIDs(200), ids); diff != "" || err != nil {
				t.Errorf("got error %v, want no error; ids (-want +got):\n%s", err, diff)
			}
		})
	})
}

// changing is a server whose list changes between requests: each of them may add up
// to two items at the front and delete as many others.
type changing struct {
	mu     sync.Mutex
	random *rand.Rand
	ids    []string // newest first
	next   int
	until  int // the number of changes that remain
	lost   map[string]bool
}

func (s *changing) handler(w http.ResponseWriter, r *http.Request) {
	time.Sleep(s.pause())
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
	s.mu.Lock()
	s.change()
	begin := min((max(1, page)-1)*limit, len(s.ids))
	response := list(numbered(max(1, page), limit, len(s.ids)), s.ids[begin:min(begin+limit, len(s.ids))]...)
	s.mu.Unlock()
	time.Sleep(s.pause())
	response(w, r)
}

// pause makes the order of concurrent requests random.
func (s *changing) pause() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.random.IntN(10)) * time.Millisecond
}

func (s *changing) change() {
	if s.until == 0 || s.random.IntN(2) == 0 {
		return
	}
	s.until--
	added := s.random.IntN(3)
	deleted := added
	if s.random.IntN(4) == 0 {
		deleted = s.random.IntN(3)
	}
	for range min(deleted, len(s.ids)) {
		i := s.random.IntN(len(s.ids))
		s.lost[s.ids[i]] = true
		s.ids = slices.Delete(s.ids, i, i+1)
	}
	for range added {
		s.ids = slices.Insert(s.ids, 0, fmt.Sprint("m", s.next))
		s.next++
	}
}

// If the server reads page 2 after pages 3 and 4, and the list changed in between, the
// pages do not overlap and have the same total, but an item is on no page. The
// first page shows that the list has changed.
func TestConcurrentPagesInAnotherOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var changed atomic.Bool
		a := &scripted{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			page, _ := strconv.Atoi(r.URL.Query().Get("page"))
			page = max(1, page)
			if page == 2 && !changed.Load() {
				time.Sleep(time.Second)
				changed.Store(true)
			}
			ids := []string{"a", "b", "c", "d"}
			if changed.Load() {
				ids = []string{"f", "e", "b", "c"} // a and d were deleted
			}
			list(numbered(page, 1, 4), ids[page-1])(w, r)
		}}}
		ids, err := members(t, clientOver(t, a), 1, 8)
		if diff := cmp.Diff([]string{"a", "e", "c", "d", "f", "b"}, ids); diff != "" || err != nil {
			t.Errorf("got error %v, want no error; ids (-want +got):\n%s", err, diff)
		}
	})
}

// Each item that exists during the whole iteration is returned exactly once, or the
// iteration fails.
func TestConcurrentPagesOfChangingLists(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		for _, prefetch := range []int{0, 2, 8} {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 0))
				s := &changing{random: random, ids: memberIDs(4 + random.IntN(10)), next: 1000, until: random.IntN(5), lost: map[string]bool{}}
				limit := 1 + random.IntN(3)
				kept := slices.Clone(s.ids)
				ids, err := members(t, clientOver(t, &scripted{script: []http.HandlerFunc{s.handler}}), limit, prefetch)
				counts := map[string]int{}
				for _, id := range ids {
					if counts[id]++; counts[id] > 1 {
						t.Errorf("seed %d, prefetch %d: got item %s again, want it once", seed, prefetch, id)
					}
				}
				for _, id := range kept {
					if err == nil && counts[id] == 0 && !s.lost[id] {
						t.Errorf("seed %d, prefetch %d: got %v, want them with %s, which was not deleted", seed, prefetch, ids, id)
					}
				}
			})
		}
	}
}

// Whatever a server does, the iteration returns the same with and without concurrent
// requests.
func TestPrefetchDoesNotChangeTheResult(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		s := otherServer{items: random.IntN(120), maxPage: random.IntN(2) * (1 + random.IntN(20)), fixed: random.IntN(10) == 0}
		limit, wrong := 1+random.IntN(20), random.IntN(5)-2
		switch random.IntN(5) {
		case 0:
		case 1:
			s.meta = func(_, _, items int) string { return fmt.Sprintf(`,"meta":{"total":%d}`, items) }
		case 2: // the total is wrong
			s.meta = func(page, limit, items int) string { return numbered(page, limit, max(0, items+wrong)) }
		default:
			s.meta = numbered
		}
		failing := 2 + random.IntN(20) // or no page
		result := func(prefetch int) (ids []string, failed string) {
			synctest.Test(t, func(t *testing.T) {
				serve := s.handler()
				a := &scripted{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
					time.Sleep(time.Duration(rand.N(10)) * time.Millisecond)
					if r.URL.Query().Get("page") == strconv.Itoa(failing) {
						status(404, "")(w, r)
						return
					}
					serve(w, r)
				}}}
				var err error
				if ids, err = members(t, clientOver(t, a), limit, prefetch); err != nil {
					failed = err.Error()
				}
			})
			return ids, failed
		}
		ids, failed := result(0)
		for _, prefetch := range []int{1, 2, 8} {
			got, err := result(prefetch)
			if diff := cmp.Diff(ids, got); diff != "" || err != failed {
				t.Errorf("seed %d, prefetch %d: got error %q, want %q; ids (-without +with prefetch):\n%s", seed, prefetch, err, failed, diff)
			}
		}
	}
}
