package promptrails_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// otherServer serves lists the way other implementations of the API do.
type otherServer struct {
	items   int
	maxPage int                                      // maximum number of items per page; 0: no maximum
	meta    func(page, limit, items int) string      // nil: no meta
	order   func(request int, ids []string) []string // nil: stable
	fixed   bool                                     // the parameter page is ignored
}

func (s otherServer) handler() http.HandlerFunc {
	var requests atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		page, limit := 1, 20
		if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil {
			page = n
		}
		if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil {
			limit = n
		}
		if s.maxPage != 0 && s.maxPage < limit {
			limit = s.maxPage
		}
		ids := make([]string, s.items)
		for i := range ids {
			ids[i] = fmt.Sprintf("m%d", i)
		}
		if request := int(requests.Add(1)); s.order != nil {
			ids = s.order(request, ids)
		}
		begin := min((page-1)*limit, s.items)
		if s.fixed {
			begin, limit = 0, s.items
		}
		ids = ids[begin:min(begin+limit, s.items)]
		meta := ""
		if s.meta != nil {
			meta = s.meta(page, limit, s.items)
		}
		list(meta, ids...)(w, r)
	}
}

// A list contains each id exactly once, or it fails.
func TestListsOfOtherServers(t *testing.T) {
	t.Parallel()
	totals := func(_, _, items int) string { return fmt.Sprintf(`,"meta":{"total":%d}`, items) }
	both := func(page, limit, items int) string {
		return fmt.Sprintf(`,"meta":{"total":%d,"page":%d,"limit":%d,"total_pages":%d}`, items, page, limit, (items+limit-1)/limit)
	}
	firstPage := func(_, limit, items int) string { return both(1, limit, items) }
	shifting := func(request int, ids []string) []string { // as if an item were inserted before each request
		n := request % len(ids)
		return append(slices.Clone(ids[len(ids)-n:]), ids[:len(ids)-n]...)
	}
	for name, c := range map[string]struct {
		server otherServer
		limit  int
		fails  string
	}{
		"no meta":                       {otherServer{items: 250}, 0, ""},
		"no meta, 20 a page":            {otherServer{items: 250, maxPage: 20}, 0, ""},
		"no meta, 20 a page, limit 200": {otherServer{items: 250, maxPage: 20}, 200, ""},
		"no meta, exactly one page":     {otherServer{items: 100}, 0, ""},
		"no meta, no items":             {otherServer{}, 0, ""},
		"a total without pages":         {otherServer{items: 250, meta: totals}, 0, ""},
		"a total without pages, 20":     {otherServer{items: 250, maxPage: 20, meta: totals}, 0, ""},
		"20 a page, with meta":          {otherServer{items: 250, maxPage: 20, meta: both}, 0, ""},
		"no pagination":                 {otherServer{items: 101, fixed: true, order: shifting}, 0, ""},
		"no pagination, few items":      {otherServer{items: 3, fixed: true, order: shifting}, 0, ""},
		"many pages":                    {otherServer{items: 250, meta: both}, 10, ""},
		"many pages, the last is full":  {otherServer{items: 250, meta: both}, 5, ""},
		"a wrong page":                  {otherServer{items: 250, meta: firstPage}, 10, "requested page 2, received page 1"},
		"an unstable order, many pages": {otherServer{items: 250, order: shifting, meta: both}, 20, ""},
		"an unstable order":             {otherServer{items: 250, order: shifting, meta: both}, 0, ""},
		"an unstable order, no meta":    {otherServer{items: 250, order: shifting}, 0, "may be incomplete"},
		"a total that is too large":     {otherServer{items: 250, meta: func(int, int, int) string { return `,"meta":{"total":300}` }}, 0, "received 250 of 300 items"},
	} {
		for _, prefetch := range []int{0, 1, 8} {
			t.Run(fmt.Sprintf("%s prefetch=%d", name, prefetch), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					a := &scripted{script: []http.HandlerFunc{c.server.handler()}}
					seen := map[string]int{}
					var failed error
					for m, err := range clientOver(t, a).Members.All(t.Context(), &promptrails.ListMembersParams{ListOptions: promptrails.ListOptions{Limit: c.limit}}, promptrails.WithPrefetch(prefetch)) {
						if err != nil {
							failed = err
							break
						}
						seen[m.ID]++
					}
					for id, n := range seen {
						if n != 1 {
							t.Errorf("got item %s %d times, want once", id, n)
						}
					}
					switch {
					case c.fails == "" && (failed != nil || len(seen) != c.server.items):
						t.Errorf("got %d items and error %v, want %d items", len(seen), failed, c.server.items)
					case c.fails != "" && (failed == nil || !strings.Contains(failed.Error(), c.fails)):
						t.Errorf("got error %v after %d items, want an error containing %q", failed, len(seen), c.fails)
					}
					if a.count() > 80 {
						t.Errorf("got %d requests for %d items, want at most 80", a.count(), c.server.items)
					}
				})
			})
		}
	}
}

// A negative page or limit is a validation error, and no request is sent.
func TestNegativeListOptions(t *testing.T) {
	t.Parallel()
	a := &scripted{}
	c := clientOver(t, a)
	negative := promptrails.ListOptions{Limit: -1}
	_, list := c.Members.List(t.Context(), &promptrails.ListMembersParams{ListOptions: negative})
	errs := map[string]error{"List": list}
	for name, seq := range map[string]func(func(error)){
		"All": func(f func(error)) {
			for _, err := range c.Members.All(t.Context(), &promptrails.ListMembersParams{ListOptions: negative}, promptrails.WithPrefetch(0)) {
				f(err)
			}
		},
		"All, with prefetch": func(f func(error)) {
			for _, err := range c.Members.All(t.Context(), &promptrails.ListMembersParams{ListOptions: promptrails.ListOptions{Page: -1}}) {
				f(err)
			}
		},
		"Changelog.All": func(f func(error)) {
			for _, err := range c.Changelog.All(t.Context(), &promptrails.ListChangelogParams{ListOptions: negative}, promptrails.WithPrefetch(5)) {
				f(err)
			}
		},
		"Tail": func(f func(error)) {
			for _, err := range c.Changelog.Tail(t.Context(), &promptrails.TailParams{Limit: -1}) {
				f(err)
			}
		},
	} {
		seq(func(err error) { errs[name] = err })
	}
	for name, err := range errs {
		if !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("%s: got %v, want ErrValidation", name, err)
		}
	}
	if a.count() != 0 || len(errs) != 5 {
		t.Errorf("got %d requests and %d errors, want 0 requests and 5 errors", a.count(), len(errs))
	}
}

// A page that exceeds the maximum response size is requested again with fewer
// items.
func TestOversizedPages(t *testing.T) {
	t.Parallel()
	service := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{}))
	t.Cleanup(func() { _ = service.Close() })
	owner := must[*embedded.User](t)(service.CreateUser(t.Context(), "ada@example.com", ""))
	c := must[*promptrails.Client](t)(service.Client(promptrails.WithAccessToken(owner.AccessToken.Reveal()), promptrails.WithMaxResponseSize(64<<10)))
	c = c.InWorkspace(must[*promptrails.Workspace](t)(c.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "W", Slug: "w"})).ID)
	content := func(i int) map[string]any {
		return map[string]any{"name": fmt.Sprint(i), "content": strings.Repeat("a", 10<<10) + fmt.Sprint(i)}
	}
	prompt := must[*promptrails.Resource](t)(c.Resources.Create(t.Context(), promptrails.KindPrompts, content(0)))
	for i := range 30 {
		must[*promptrails.Resource](t)(c.Resources.Update(t.Context(), promptrails.KindPrompts, prompt.ID, content(i+1)))
		must[*promptrails.Resource](t)(c.Resources.Create(t.Context(), promptrails.KindPrompts, content(i+1)))
	}
	head := must[*promptrails.ChangelogHead](t)(c.Changelog.Head(t.Context()))
	for _, prefetch := range []int{0, 1, 4} {
		for _, order := range []promptrails.Order{promptrails.OrderAscending, promptrails.OrderDescending} {
			n := int64(0)
			for _, err := range c.Changelog.All(t.Context(), &promptrails.ListChangelogParams{Order: order}, promptrails.WithPrefetch(prefetch)) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != head.Sequence {
				t.Errorf("Changelog.All with prefetch %d, order %s: got %d entries, want %d", prefetch, order, n, head.Sequence)
			}
		}
		prompts := 0
		for _, err := range c.Resources.All(t.Context(), promptrails.KindPrompts, nil, promptrails.WithPrefetch(prefetch)) {
			if err != nil {
				t.Fatal(err)
			}
			prompts++
		}
		if prompts != 31 {
			t.Errorf("Resources.All with prefetch %d: got %d prompts, want 31", prefetch, prompts)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var last int64
	for e, err := range c.Changelog.Tail(ctx, nil) {
		if err != nil {
			break
		}
		if last = e.Sequence; last == head.Sequence {
			cancel()
		}
	}
	if last != head.Sequence {
		t.Errorf("Changelog.Tail: got entries up to sequence %d, want %d", last, head.Sequence)
	}
	cancel()
	// The error of a single oversized item names the options to change.
	must[*promptrails.Resource](t)(c.Resources.Create(t.Context(), promptrails.KindPrompts, map[string]any{"name": "big", "content": strings.Repeat("a", 60<<10)}))
	must[*promptrails.Resource](t)(must[*promptrails.Client](t)(service.Client(promptrails.WithAccessToken(owner.AccessToken.Reveal()))).InWorkspace(prompt.WorkspaceID).Resources.
		Create(t.Context(), promptrails.KindPrompts, map[string]any{"name": "huge", "content": strings.Repeat("a", 90<<10)}))
	for name, err := range map[string]error{"All": firstError(c.Resources.All(t.Context(), promptrails.KindPrompts, nil)), "Tail": firstError(c.Changelog.Tail(t.Context(), &promptrails.TailParams{After: head.Sequence}))} {
		if err == nil || !strings.Contains(err.Error(), "WithMaxResponseSize") || !strings.Contains(err.Error(), "Limit") {
			t.Errorf("%s of an oversized item: got %v, want an error that names WithMaxResponseSize and Limit", name, err)
		}
	}
}

// firstError returns the first error that seq yields, or nil.
func firstError[T any](seq func(func(*T, error) bool)) (failed error) {
	for _, err := range seq {
		if err != nil {
			return err
		}
	}
	return nil
}

// A short page does not end the changelog.
func TestShortChangelogPages(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"cursors", "totals", "no meta"} {
		for _, prefetch := range []int{0, 1, 2, 5} {
			for _, order := range []promptrails.Order{promptrails.OrderAscending, promptrails.OrderDescending} {
				t.Run(fmt.Sprintf("%s prefetch=%d order=%s", form, prefetch, order), func(t *testing.T) {
					c := clientOver(t, &scripted{script: []http.HandlerFunc{shortChangelog(95, 7, form)}})
					var got []int64
					for e, err := range c.Changelog.All(t.Context(), &promptrails.ListChangelogParams{Order: order, ListOptions: promptrails.ListOptions{Limit: 30}}, promptrails.WithPrefetch(prefetch)) {
						if err != nil {
							t.Fatal(err)
						}
						got = append(got, e.Sequence)
					}
					slices.Sort(got)
					if len(got) != 95 || got[0] != 1 || got[94] != 95 {
						t.Errorf("got %d entries %v, want 1 to 95", len(got), got)
					}
				})
			}
		}
	}
}

// shortChangelog serves a changelog of the given number of entries, in pages of
// at most maxPage. The form of meta is "totals", "cursors" or "no meta".
func shortChangelog(entries, maxPage int, form string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/head") {
			status(200, fmt.Sprintf(`{"data":{"workspace_id":"w","sequence":%d,"hash":"h"}}`, entries))(w, r)
			return
		}
		q := r.URL.Query()
		number := func(name string, def int) int {
			if n, err := strconv.Atoi(q.Get(name)); err == nil {
				return n
			}
			return def
		}
		from, to, ascending := number("sequence_from", 1), min(entries, number("sequence_to", entries)), q.Get("order") == "asc"
		if after := number("after", 0); after != 0 && ascending {
			from = after + 1
		} else if after != 0 {
			to = after - 1
		}
		var items []string
		for len(items) < min(maxPage, number("limit", 20)) && from <= to {
			n := to
			if ascending {
				n = from
				from++
			} else {
				to--
			}
			items = append(items, fmt.Sprintf(`{"id":"e","sequence":%d}`, n))
		}
		meta := ""
		switch total := max(0, to-from+1) + len(items); form {
		case "totals":
			meta = fmt.Sprintf(`,"meta":{"limit":%d,"total":%d,"page":1,"pages":%d}`, number("limit", 20), total, (total+maxPage-1)/maxPage)
		case "cursors":
			meta = fmt.Sprintf(`,"meta":{"limit":%d}`, number("limit", 20))
			if from <= to {
				meta = fmt.Sprintf(`,"meta":{"limit":%d,"next_cursor":"%d"}`, number("limit", 20), map[bool]int{true: from - 1, false: to + 1}[ascending])
			}
		}
		status(200, `{"data":[`+strings.Join(items, ",")+`]`+meta+`}`)(w, r)
	}
}

// Inventory counts the kinds that a server supports, and omits the others.
func TestInventoryOfOtherServers(t *testing.T) {
	t.Parallel()
	other := func(missing http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch strings.TrimPrefix(r.URL.Path, "/api/v1/") {
			case "agents":
				list("", "a1", "a2")(w, r)
			case "agents/a1/guardrails": // no meta, and one page
				list("", "g1", "g2", "g3")(w, r)
			case "agents/a2/guardrails": // the agent was deleted in the meantime
				status(404, `{"error":{"code":"not_found","message":"agent not found"}}`)(w, r)
			case "prompts":
				otherServer{items: 130, maxPage: 20}.handler()(w, r)
			case "apps", "approvals":
				missing(w, r)
			default:
				list(`,"meta":{"total":7,"pages":7}`, "x")(w, r)
			}
		}
	}
	c := clientOver(t, &scripted{script: []http.HandlerFunc{other(status(404, `{"message":"Not Found"}`))}})
	got, err := c.Resources.Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[promptrails.ResourceKind]int{}
	for _, kind := range promptrails.ResourceKinds() {
		want[kind] = 7
	}
	want[promptrails.KindAgents], want[promptrails.KindGuardrails], want[promptrails.KindMemories], want[promptrails.KindPrompts] = 2, 3, 14, 130
	delete(want, promptrails.KindApps)
	delete(want, promptrails.KindApprovals)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Resources.Inventory (-want +got):\n%s", diff)
	}
	for name, missing := range map[string]http.HandlerFunc{
		"an ingress":           status(404, "default backend - 404", "Content-Type", "text/html"),
		"no workspace":         status(404, `{"error":{"code":"not_found","message":"workspace not found"}}`),
		"an insufficient role": status(403, `{"error":{"code":"insufficient_role"}}`),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := clientOver(t, &scripted{script: []http.HandlerFunc{other(missing)}}).Resources.Inventory(t.Context()); err == nil {
				t.Errorf("Resources.Inventory: got %v and no error, want an error", got)
			}
		})
	}
	if _, err := clientOver(t, &scripted{script: []http.HandlerFunc{status(404, `{"message":"Not Found"}`)}}).Resources.Inventory(t.Context()); !errors.Is(err, promptrails.ErrNotFound) {
		t.Errorf("Resources.Inventory of a server without resources: got %v, want ErrNotFound", err)
	}
}
