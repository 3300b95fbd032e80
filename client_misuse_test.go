package promptrails_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// Every method returns an error, and does not panic, for a nil context, nil
// parameters, zero values and nil options.
func TestMisuseNeverPanics(t *testing.T) {
	t.Parallel()
	a := &scripted{script: []http.HandlerFunc{status(503, "")}}
	c := clientOver(t, a, nil, promptrails.WithMaxRetries(0))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	services := reflect.ValueOf(c).Elem()
	calls := 0
	for i := range services.NumField() {
		if !services.Type().Field(i).IsExported() {
			continue
		}
		service := services.Field(i)
		if service.IsNil() {
			t.Fatalf("Client.%s: got nil, want a service from newClient", services.Type().Field(i).Name)
		}
		for j := range service.NumMethod() {
			method := service.Method(j)
			name := services.Type().Field(i).Name + "." + service.Type().Method(j).Name
			for _, ctx := range []context.Context{nil, canceled} {
				var args []reflect.Value
				for k := range method.Type().NumIn() {
					switch in := method.Type().In(k); {
					case in == reflect.TypeFor[context.Context]() && ctx != nil:
						args = append(args, reflect.ValueOf(ctx))
					case method.Type().IsVariadic() && k == method.Type().NumIn()-1:
						args = append(args, reflect.Zero(in.Elem()))
					default:
						args = append(args, reflect.Zero(in))
					}
				}
				calls++
				out := method.Call(args)
				var err error
				if out[0].Kind() == reflect.Func {
					out[0].Call([]reflect.Value{reflect.MakeFunc(out[0].Type().In(0), func(in []reflect.Value) []reflect.Value {
						err, _ = reflect.TypeAssert[error](in[1])
						return []reflect.Value{reflect.ValueOf(err == nil)}
					})})
				} else {
					err, _ = reflect.TypeAssert[error](out[len(out)-1])
				}
				if err == nil || ctx == nil && !errors.Is(err, promptrails.ErrValidation) {
					t.Errorf("%s with the context %v: got %v, want an error, and ErrValidation for a nil context", name, ctx, err)
				}
			}
		}
	}
	if calls < 100 || a.count() != 0 {
		t.Errorf("got %d calls and %d requests, want at least 100 and 0", calls, a.count())
	}
	if _, err := c.Me(nil); !errors.Is(err, promptrails.ErrValidation) || !strings.Contains(err.Error(), "ctx") { //nolint:staticcheck // the test is about a nil context
		t.Errorf("Me(nil): got %v, want ErrValidation that names ctx", err)
	}
}

func TestDoRejectsInvalidCalls(t *testing.T) {
	t.Parallel()
	a := &scripted{script: []http.HandlerFunc{status(200, `{"data":null}`)}}
	c := clientOver(t, a)
	for name, err := range map[string]error{
		"GET with a body":   c.Do(t.Context(), "GET", "/x", map[string]string{"q": "x"}, nil),
		"empty method":      c.Do(t.Context(), "", "/x", nil, nil),
		"lower-case method": c.Do(t.Context(), "get", "/x", nil, nil),
		"Accept header":     c.Do(t.Context(), "GET", "/x", nil, nil, promptrails.WithHeader("Accept", "text/csv")),
	} {
		t.Run(name, func(t *testing.T) {
			if !errors.Is(err, promptrails.ErrValidation) || a.count() != 0 {
				t.Errorf("Do: got %v after %d requests, want ErrValidation after 0", err, a.count())
			}
		})
	}
	list := []map[string]any{{"old": 1}}
	if err := c.Do(t.Context(), "GET", "/x", nil, &list); err != nil || list != nil {
		t.Errorf("Do with null for a slice: got %v, %v; want nil", list, err)
	}
	var object map[string]any
	if err := c.Do(t.Context(), "GET", "/x", nil, &object); err == nil {
		t.Error("Do with null for a map: got no error, want one")
	}
}

// WithPrefetch limits any value to its maximum.
func TestPrefetchIsBounded(t *testing.T) {
	t.Parallel()
	c := clientOver(t, &scripted{script: []http.HandlerFunc{shortChangelog(95, 100, "cursors")}})
	n := 0
	for _, err := range c.Changelog.All(t.Context(), &promptrails.ListChangelogParams{Order: promptrails.OrderAscending, ListOptions: promptrails.ListOptions{Limit: 1}}, promptrails.WithPrefetch(math.MaxInt)) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 95 {
		t.Errorf("All with the largest prefetch: got %d entries, want 95", n)
	}
}

// If the caller's transport panics in a goroutine of the package, the iteration
// returns the panic as an error.
func TestTransportPanicsWhilePrefetching(t *testing.T) {
	t.Parallel()
	c := clientOver(t, roundTripper(func(*http.Request) (*http.Response, error) { panic("transport failed") }), promptrails.WithTimeout(time.Millisecond)) // net/http starts a goroutine for it
	_, inventory := c.Resources.Inventory(t.Context())
	for name, err := range map[string]error{
		"All":                         firstError(c.Members.All(t.Context(), nil)),
		"Changelog.All":               firstError(c.Changelog.All(t.Context(), &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}, promptrails.WithPrefetch(3))),
		"All, prefetching 3 pages":    firstError(c.Members.All(t.Context(), nil, promptrails.WithPrefetch(3))),
		"Changelog.All, newest first": firstError(c.Changelog.All(t.Context(), nil, promptrails.WithPrefetch(3))),
		"Inventory":                   inventory,
	} {
		if err == nil || !strings.Contains(err.Error(), "transport failed") {
			t.Errorf("%s: got %v, want the panic as an error", name, err)
		}
	}
}

// WithWorkspace("") overrides the workspace of the environment.
func TestEmptyWorkspace(t *testing.T) {
	t.Setenv("PROMPTRAILS_WORKSPACE_ID", "of-the-environment")
	a := &scripted{script: []http.HandlerFunc{status(200, `{"data":[]}`)}}
	c := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAccessToken(token), promptrails.WithWorkspace(""), promptrails.WithHTTPClient(&http.Client{Transport: a})))
	if _, err := c.Members.List(t.Context(), nil); !errors.Is(err, promptrails.ErrValidation) || a.count() != 0 {
		t.Errorf("Members.List: got %v after %d requests, want ErrValidation after 0", err, a.count())
	}
}

func TestVerifyChangelogMisuse(t *testing.T) {
	t.Parallel()
	file := must[*os.File](t)(os.Open(filepath.Join("testdata", "changelog", "export.ndjson")))
	defer func() { _ = file.Close() }()
	var entries []*promptrails.ChangelogEntry
	for lines := json.NewDecoder(file); lines.More(); {
		entry := new(promptrails.ChangelogEntry)
		if err := lines.Decode(entry); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	from := func(n int, extra ...*promptrails.ChangelogEntry) func(func(*promptrails.ChangelogEntry, error) bool) {
		return func(yield func(*promptrails.ChangelogEntry, error) bool) {
			for _, e := range append(extra, entries[n:]...) {
				if !yield(e, nil) {
					return
				}
			}
		}
	}
	third := entries[2]
	for name, head := range map[string]*promptrails.ChangelogHead{
		"without a workspace":     {Sequence: third.Sequence, Hash: third.Hash},
		"with an upper-case hash": {Sequence: third.Sequence, Hash: strings.ToUpper(third.Hash), WorkspaceID: third.WorkspaceID},
	} {
		if _, err := promptrails.VerifyChangelog(from(2), head); err != nil {
			t.Errorf("VerifyChangelog from a head %s: got %v, want no error", name, err)
		}
	}
	other := &promptrails.ChangelogHead{Sequence: third.Sequence, Hash: strings.Repeat("0", 64)}
	for name, err := range map[string]error{
		"other head": errorOf(promptrails.VerifyChangelog(from(2), other)), "nil entry": errorOf(promptrails.VerifyChangelog(from(0, nil), nil)),
	} {
		if _, ok := errors.AsType[*promptrails.ChainError](err); !ok {
			t.Errorf("VerifyChangelog with %s: got %v, want a *ChainError", name, err)
		}
	}
}

// errorOf returns the error of a call.
func errorOf[T any](_ T, err error) error { return err }

// Currencies are case-insensitive, and zero money has any currency.
func TestMoneyCurrencies(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]promptrails.Money{
		"CLF 1.2345": {Amount: 12345, Currency: "CLF"}, "UYW 1.2345": {Amount: 12345, Currency: "uyw"}, "USD 49.00": {Amount: 4900, Currency: "usd"}, "IQD 1.234": {Amount: 1234, Currency: "IQD"},
		"JPY 1,234": {Amount: 1234, Currency: "jpy"},
	} {
		t.Run(want, func(t *testing.T) {
			if m.String() != want {
				t.Errorf("%#v.String(): got %q, want %q", m, m.String(), want)
			}
		})
	}
	usd := promptrails.Money{Amount: 5, Currency: "USD"}
	for _, c := range [][3]promptrails.Money{{{}, usd, usd}, {usd, {}, usd}, {usd, {Amount: 2, Currency: "usd"}, {Amount: 7, Currency: "USD"}}, {{}, {}, {}}} {
		if got, err := c[0].Add(c[1]); err != nil || got != c[2] {
			t.Errorf("%v.Add(%v): got %v, %v; want %v", c[0], c[1], got, err, c[2])
		}
	}
	if got, err := (promptrails.Money{}).Sub(usd); err != nil || got.Amount != -5 {
		t.Errorf("zero Money.Sub(%v): got %v, %v; want an amount of -5", usd, got, err)
	}
}

// A kind can be any path below the API's base path.
func TestOpenKinds(t *testing.T) {
	t.Parallel()
	a := &scripted{script: []http.HandlerFunc{status(200, `{"data":{"id":"i","version":"1.0.0"}}`)}}
	c := clientOver(t, a)
	for kind, want := range map[promptrails.ResourceKind]string{
		"agents/abc/versions": "/agents/abc/versions/i", "prompts/a%2Fb/versions": "/prompts/a%2Fb/versions/i", "chat/sessions/s/messages": "/chat/sessions/s/messages/i", "new-things": "/new-things/i",
		"New Things": "/New%20Things/i", promptrails.KindMemories: "/memories/i", promptrails.KindMemories.Of("a"): "/memories/i", promptrails.KindGuardrails.Of("a"): "/guardrails/i", promptrails.KindSessions: "/chat/sessions/i",
	} {
		t.Run(string(kind), func(t *testing.T) {
			r, err := c.Resources.Get(t.Context(), kind, "i")
			if got := a.seen[len(a.seen)-1].URL.EscapedPath(); err != nil || got != "/api/v1"+want {
				t.Errorf("Get of %s: got a request for %s, %v; want /api/v1%s", kind, got, err, want)
			} else if r.Version != 0 || !strings.Contains(string(r.Raw), `"version":"1.0.0"`) {
				t.Errorf("Get of %s: got version %d and raw %s, want 0 and the version 1.0.0", kind, r.Version, r.Raw)
			}
		})
	}
	before := a.count()
	for _, kind := range []promptrails.ResourceKind{"", "/", "/agents", "agents/", "../../healthz", "agents/../x", "agents/%2e%2e/x", "agents/%zz/x", "agents/\n/x", "a//b", "agents/./versions"} {
		_, get := c.Resources.Get(t.Context(), kind, "i")
		_, list := c.Resources.List(t.Context(), kind, nil)
		for verb, err := range map[string]error{"Get": get, "List": list, "All": firstError(c.Resources.All(t.Context(), kind, nil)), "Delete": c.Resources.Delete(t.Context(), kind, "i")} {
			if !errors.Is(err, promptrails.ErrValidation) {
				t.Errorf("%s of %q: got %v, want ErrValidation", verb, kind, err)
			}
		}
	}
	if a.count() != before {
		t.Errorf("invalid kinds: got %d requests, want 0", a.count()-before)
	}
	// An item with unexpected field types does not affect the rest of the page.
	a.script = []http.HandlerFunc{status(200, `{"data":[{"id":"a","version":"1.0.0","name":7,"created_at":"yesterday"},{"id":"b","version":3}],"meta":{"total":2,"pages":1}}`)}
	page, err := c.Resources.List(t.Context(), "agents/abc/versions", nil)
	if err != nil || len(page.Items) != 2 || page.Items[0].ID != "a" || page.Items[1].Version != 3 || page.Items[1].Raw != nil || !strings.Contains(string(page.Items[0].Fields), `"created_at":"yesterday"`) {
		t.Errorf("List with unexpected field types: got %+v, %v; want both items", page, err)
	}
}

func TestExecuteParams(t *testing.T) {
	t.Parallel()
	p := newPlatform(t, embedded.Config{})
	in, _ := newWorkspace(t, p.person("ada@example.com", "Ada"), "research")
	agent := must[*promptrails.Resource](t)(in.Resources.Create(t.Context(), promptrails.KindAgents, map[string]any{"name": "a"}))
	run := must[*promptrails.Resource](t)(in.Resources.Execute(t.Context(), agent.ID, &promptrails.ExecuteParams{
		Input: map[string]any{"wait": time.Second}, SessionID: "chat 7", Sync: new(true), Metadata: map[string]string{"ticket": "4"},
	}))
	var fields struct {
		Input     map[string]int64  `json:"input"`
		SessionID string            `json:"session_id"`
		Metadata  map[string]string `json:"metadata"`
	}
	if err := run.Decode(&fields); err != nil {
		t.Fatal(err)
	}
	if fields.SessionID != "chat 7" || fields.Metadata["ticket"] != "4" || fields.Input["wait"] != int64(time.Second) {
		t.Errorf("Execute: got %+v of %s, want the input, session and metadata of the call", fields, run.Fields)
	}
	if _, err := in.Resources.Execute(t.Context(), agent.ID, &promptrails.ExecuteParams{VersionID: "v"}); !errors.Is(err, promptrails.ErrNotFound) {
		t.Errorf("Execute of a missing version: got %v, want ErrNotFound", err)
	}
}
