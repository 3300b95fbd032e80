package promptrails_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// list responds with a list of items with the given ids, followed by meta.
func list(meta string, ids ...string) http.HandlerFunc {
	items := make([]string, len(ids))
	for i, id := range ids {
		items[i] = fmt.Sprintf(`{"id":%q}`, id)
	}
	return status(200, `{"data":[`+strings.Join(items, ",")+`]`+meta+`}`)
}

// collect returns the ids of all members, and the error of the iteration.
func collect(ctx context.Context, c *promptrails.Client, opts ...promptrails.RequestOption) (ids []string, err error) {
	for m, err := range c.Members.All(ctx, nil, opts...) {
		if err != nil {
			return ids, err
		}
		ids = append(ids, m.ID)
		if len(ids) > 1000 {
			return ids, errors.New("more than 1000 items")
		}
	}
	return ids, nil
}

func TestAll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script  []http.HandlerFunc
		want    string // the ids
		queries string // the query of each request; empty: not checked
		fails   string // part of the error; empty: no error
	}{
		"cursors": {
			[]http.HandlerFunc{list(`,"meta":{"total":3,"page":1,"limit":2,"pages":2,"next_cursor":"c1"}`, "a", "b"), list(`,"meta":{"limit":2}`, "c")},
			"a b c", "limit=100 after=c1&limit=100", "",
		},
		"page numbers": {
			[]http.HandlerFunc{list(`,"meta":{"total":3,"page":1,"limit":2,"pages":2}`, "a", "b"), list(`,"meta":{"total":3,"page":2,"limit":2,"pages":2}`, "c")},
			"a b c", "limit=100 limit=100&page=2", "",
		},
		"total_pages in place of pages": {
			[]http.HandlerFunc{list(`,"meta":{"total":2,"page":1,"limit":1,"total_pages":2}`, "a"), list(`,"meta":{"total":2,"page":2,"limit":1,"total_pages":2}`, "b")},
			"a b", "limit=100 limit=100&page=2", "",
		},
		"no meta":               {[]http.HandlerFunc{list("", "a", "b")}, "a b", "limit=100 limit=2&page=2", ""},
		"null data":             {[]http.HandlerFunc{status(200, `{"data":null}`)}, "", "limit=100", ""},
		"no data":               {[]http.HandlerFunc{status(200, `{}`)}, "", "limit=100", "expected a list of Member"},
		"an object, not a list": {[]http.HandlerFunc{status(200, `{"data":{"id":"a"}}`)}, "", "limit=100", "response"},
		"an empty item":         {[]http.HandlerFunc{status(200, `{"data":[{"id":"a"},{}]}`)}, "", "limit=100", "expected Member at data[1]"},
		"an error on page 2":    {[]http.HandlerFunc{list(`,"meta":{"next_cursor":"c1"}`, "a"), status(404, "")}, "a", "limit=100 after=c1&limit=100", "404"},
		"an empty middle page":  {[]http.HandlerFunc{list(`,"meta":{"next_cursor":"c1"}`, "a"), list(`,"meta":{"next_cursor":"c2"}`), list(`,"meta":{"limit":100}`, "b")}, "a b", "limit=100 after=c1&limit=100 after=c2&limit=100", ""},
		"a repeated cursor":     {[]http.HandlerFunc{list(`,"meta":{"next_cursor":"c1"}`, "a")}, "a", "", "repeats a cursor"},
		"an empty first page":   {[]http.HandlerFunc{list(`,"meta":{"page":1,"pages":9}`)}, "", "limit=100", "page 1 of 9 is empty"},
		"a repeated page":       {[]http.HandlerFunc{list(`,"meta":{"page":1,"pages":9}`, "a")}, "a", "", "requested page 2, received page 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for prefetch := range 3 {
				a := &scripted{script: c.script}
				ids, err := collect(t.Context(), clientOver(t, a), promptrails.WithPrefetch(prefetch))
				if strings.Join(ids, " ") != c.want || (err != nil) != (c.fails != "") || err != nil && !strings.Contains(err.Error(), c.fails) {
					t.Errorf("Members.All with prefetch %d: got ids %v and error %v, want ids %q and error %q", prefetch, ids, err, c.want, c.fails)
				}
				var queries []string
				for _, r := range a.seen {
					queries = append(queries, r.URL.RawQuery)
				}
				if got := strings.Join(queries, " "); c.queries != "" && got != c.queries {
					t.Errorf("Members.All with prefetch %d: got queries %q, want %q", prefetch, got, c.queries)
				}
			}
		})
	}
}

// An endless list fails.
func TestEndlessLists(t *testing.T) {
	t.Parallel()
	t.Run("a growing number of pages", func(t *testing.T) {
		var n atomic.Int64
		grows := func(w http.ResponseWriter, _ *http.Request) {
			i := n.Add(1)
			list(fmt.Sprintf(`,"meta":{"page":%d,"pages":%d}`, i, i+1), fmt.Sprint("m", i))(w, nil)
		}
		if _, err := collect(t.Context(), clientOver(t, &scripted{script: []http.HandlerFunc{grows}}), promptrails.WithPrefetch(0)); err == nil || !strings.Contains(err.Error(), "is not the last") {
			t.Errorf("Members.All: got %v, want an error containing %q", err, "is not the last")
		}
	})
	t.Run("a cycle of cursors", func(t *testing.T) {
		var n atomic.Int64
		cycle := func(w http.ResponseWriter, _ *http.Request) {
			list(fmt.Sprintf(`,"meta":{"next_cursor":"c%d"}`, n.Add(1)%7), "m")(w, nil)
		}
		if _, err := collect(t.Context(), clientOver(t, &scripted{script: []http.HandlerFunc{cycle}})); err == nil || !strings.Contains(err.Error(), "repeats a cursor") {
			t.Errorf("Members.All: got %v, want an error containing %q", err, "repeats a cursor")
		}
	})
	t.Run("many empty pages before an item", func(t *testing.T) {
		var n atomic.Int64
		search := func(w http.ResponseWriter, _ *http.Request) {
			if i := n.Add(1); i < 2000 {
				list(fmt.Sprintf(`,"meta":{"limit":100,"next_cursor":"c%d"}`, i))(w, nil)
				return
			}
			list(`,"meta":{"limit":100}`, "m")(w, nil)
		}
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			ids, err := collect(t.Context(), clientOver(t, &scripted{script: []http.HandlerFunc{search}}))
			if err != nil || len(ids) != 1 || time.Since(began) > time.Minute {
				t.Errorf("Members.All: got %v, error %v, after %v; want m within a minute", ids, err, time.Since(began))
			}
		})
	})
	t.Run("only empty pages", func(t *testing.T) {
		var n atomic.Int64
		empty := func(w http.ResponseWriter, _ *http.Request) {
			list(fmt.Sprintf(`,"meta":{"next_cursor":"c%d"}`, n.Add(1)))(w, nil)
		}
		synctest.Test(t, func(t *testing.T) { // the client pauses after each empty page
			if _, err := collect(t.Context(), clientOver(t, &scripted{script: []http.HandlerFunc{empty}})); err == nil || !strings.Contains(err.Error(), "empty") {
				t.Errorf("Members.All: got %v, want an error containing %q", err, "empty")
			}
		})
	})
}

func TestAllCanBeRangedOverTwice(t *testing.T) {
	t.Parallel()
	a := &scripted{script: []http.HandlerFunc{list(`,"meta":{"total":2,"pages":1}`, "a", "b")}}
	params := &promptrails.ListMembersParams{Role: promptrails.RoleUser}
	members := clientOver(t, a).Members.All(t.Context(), params)
	params.Role = promptrails.RoleOwner // must not affect the sequence
	for range 2 {
		n := 0
		for _, err := range members {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("Members.All: got %d items, want 2", n)
		}
	}
	if a.seen[0].URL.RawQuery != "limit=100&role=user" || a.seen[1].URL.RawQuery != "limit=100&role=user" {
		t.Errorf("Members.All: got queries %s and %s, want limit=100&role=user twice", a.seen[0].URL.RawQuery, a.seen[1].URL.RawQuery)
	}
}

// WithPrefetch sets the number of pages that are fetched ahead while the caller
// processes a page.
func TestPrefetch(t *testing.T) {
	t.Parallel()
	for _, prefetch := range []int{0, 1, 3} {
		t.Run(fmt.Sprint(prefetch), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var requests atomic.Int64
				pages := func(w http.ResponseWriter, _ *http.Request) {
					i := requests.Add(1)
					list(fmt.Sprintf(`,"meta":{"next_cursor":"c%d"}`, i), fmt.Sprint(i))(w, nil)
				}
				c := clientOver(t, &scripted{script: []http.HandlerFunc{pages}})
				seen := 0
				for _, err := range c.Members.All(t.Context(), nil, promptrails.WithPrefetch(prefetch)) {
					if err != nil {
						t.Fatal(err)
					}
					seen++
					synctest.Wait()
					if ahead := int(requests.Load()) - seen; ahead != prefetch {
						t.Errorf("got %d pages ahead at page %d, want %d", ahead, seen, prefetch)
					}
					if seen == 5 {
						break
					}
				}
				synctest.Wait()
				if n := int(requests.Load()); n > 5+prefetch {
					t.Errorf("got %d requests after the loop, want at most %d", n, 5+prefetch)
				}
			})
		})
	}
}

func TestCancelledWhileIterating(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
		a := &scripted{script: []http.HandlerFunc{list(`,"meta":{"next_cursor":"c"}`, "a"), hang}}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		started := time.Now()
		ids, err := collect(ctx, clientOver(t, a))
		if diff := cmp.Diff([]string{"a"}, ids); diff != "" || !errors.Is(err, context.Canceled) || time.Since(started) != time.Second {
			t.Errorf("Members.All: got ids %v and error %v after %s, want [a] and context.Canceled after 1s", ids, err, time.Since(started))
		}
	})
}

// With All, WithResponse stores the response of the current item's page.
func TestAllWithResponse(t *testing.T) {
	t.Parallel()
	a := &scripted{script: []http.HandlerFunc{
		status(200, `{"data":[{"id":"a"}],"meta":{"next_cursor":"c"}}`, "X-Request-Id", "first"),
		status(200, `{"data":[{"id":"b"}],"meta":{"limit":100}}`, "X-Request-Id", "second"),
	}}
	var r promptrails.Response
	var got []string
	for m, err := range clientOver(t, a).Members.All(t.Context(), nil, promptrails.WithResponse(&r)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.ID+" "+r.RequestID)
	}
	if diff := cmp.Diff([]string{"a first", "b second"}, got); diff != "" {
		t.Errorf("ids and request ids (-want +got):\n%s", diff)
	}
}
