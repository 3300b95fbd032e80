package embedded_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/apicheck"
)

// An invalid body is refused with a 4xx that names the invalid field, and
// nothing is stored.
func TestHostileBodies(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	long := strings.Repeat("x", 101)
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
		field  string
	}{
		"empty":               {"", 400, "bad_request", ""},
		"invalid JSON":        {"{", 400, "bad_request", ""},
		"null":                {"null", 400, "bad_request", ""},
		"a list":              {"[]", 400, "bad_request", ""},
		"two documents":       {`{"name":"a","slug":"b"}{}`, 400, "bad_request", ""},
		"invalid UTF-8":       {"{\"name\":\"\xff\",\"slug\":\"b\"}", 400, "bad_request", ""},
		"a duplicate name":    {`{"name":"a","name":"b","slug":"c"}`, 400, "validation_error", "name"},
		"an unknown field":    {`{"name":"a","slug":"b","plan":"enterprise"}`, 400, "validation_error", "plan"},
		"a name in capitals":  {`{"Name":"a","slug":"b"}`, 400, "validation_error", "Name"},
		"a wrong type":        {`{"name":7,"slug":"b"}`, 400, "validation_error", "name"},
		"an object":           {`{"name":{"a":1},"slug":"b"}`, 400, "validation_error", "name"},
		"no slug":             {`{"name":"a"}`, 400, "validation_error", "slug"},
		"a name of spaces":    {`{"name":"  ","slug":"b"}`, 400, "validation_error", "name"},
		"a long name":         {`{"name":"` + long + `","slug":"b"}`, 400, "validation_error", "name"},
		"NUL":                 {`{"name":"a\u0000b","slug":"b"}`, 400, "validation_error", "name"},
		"a slug in capitals":  {`{"name":"a","slug":"Research"}`, 400, "validation_error", "slug"},
		"a slug with a slash": {`{"name":"a","slug":"a/b"}`, 400, "validation_error", "slug"},
		"two hyphens":         {`{"name":"a","slug":"a--b"}`, 400, "validation_error", "slug"},
		"64 characters":       {`{"name":"a","slug":"` + strings.Repeat("x", 64) + `"}`, 400, "validation_error", "slug"},
		"a taken slug":        {`{"name":"a","slug":"research"}`, 409, "slug_taken", ""},
		"10 000 levels":       {strings.Repeat(`{"name":`, 10000), 400, "", ""},
		"over 1 MiB":          {`{"name":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "payload_too_large", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := ada.do("POST", "/workspaces", c.body)
			if c.code == "" {
				r.expect(c.status)
				return
			}
			if fields := r.fails(c.status, c.code); c.field != "" && fields[c.field] == "" {
				t.Errorf("invalid fields: got %v, want %s", fields, c.field)
			}
		})
	}
	ada.do("POST", "/workspaces", `{"name":"a","slug":"b"}`, "Content-Type", "text/plain").fails(415, "unsupported_media_type")
	ada.do("POST", "/workspaces", `{"name":"a","slug":7}`, "Content-Type", "").fails(400, "validation_error")
	ada.do("POST", "/workspaces", `{"name":"a","slug":"b"}`, "Content-Encoding", "gzip").fails(415, "unsupported_media_type")
	if fields := ada.do("PATCH", "/workspaces/research", `{"slug":"other"}`).fails(400, "validation_error"); fields["slug"] == "" {
		t.Errorf("PATCH of the slug: got the invalid fields %v, want slug", fields)
	}
	if got := ada.do("GET", "/workspaces", "").body; strings.Count(got, `"slug"`) != 1 {
		t.Errorf("workspaces after refused requests: got %s, want only research", got)
	}
}

// Accepted text is returned byte for byte.
func TestTextIsReturnedUnchanged(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	for _, name := range []string{"👩🏽‍💻 team", "שלום עולם", "\u202eright to left", "a\u0301 combining", "<script>&\"'", strings.Repeat("é", 100)} {
		body, err := json.Marshal(map[string]string{"name": name})
		if err != nil {
			t.Fatal(err)
		}
		if got := ada.do("PATCH", "/workspaces/research", string(body)).expect(200).text("name"); got != name {
			t.Errorf("name: got %q, want %q", got, name)
		}
	}
}

func TestHostileQueries(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	ada.do("POST", "/workspaces", `{"name":"W","slug":"second"}`).expect(201)
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=101": "limit", "limit=-1": "limit", "limit=x": "limit", "limit=99999999999999999999": "limit",
		"page=0": "page", "page=-1": "page", "page=1&page=2": "page", "role=king": "role", "after=zzz": "after", "q=%00": "q", "q=%ff": "q",
	} {
		t.Run("workspaces "+query, func(t *testing.T) {
			if fields := ada.do("GET", "/workspaces?"+query, "").fails(400, "validation_error"); fields[field] == "" {
				t.Errorf("invalid fields: got %v, want %s", fields, field)
			}
		})
	}
	ada.do("GET", "/workspaces?q=%zz", "").fails(400, "bad_request")
	ada.do("GET", "/workspaces?after=&limit=2", "").expect(200)
	ada.do("GET", "/workspaces?page=1000000000&limit=100", "").expect(200)
	for query, field := range map[string]string{
		"page=1": "page", "since=yesterday": "since", "order=up": "order", "action=looked": "action", "sequence_from=0": "sequence_from", "actor_type=cat": "actor_type",
	} {
		t.Run("changelog "+query, func(t *testing.T) {
			if fields := ada.do("GET", "/changelog?"+query, "").fails(400, "validation_error"); fields[field] == "" {
				t.Errorf("invalid fields: got %v, want %s", fields, field)
			}
		})
	}
}

// A cursor is valid only for the list, the filter and the user that it was
// returned for.
func TestForeignCursors(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	ada.do("POST", "/workspaces", `{"name":"W","slug":"second"}`).expect(201)
	var page struct {
		Meta struct {
			NextCursor string `json:"next_cursor"`
			Total      *int
		}
	}
	if err := json.Unmarshal([]byte(ada.do("GET", "/workspaces?limit=1", "").body), &page); err != nil || page.Meta.NextCursor == "" {
		t.Fatalf("first page: got the cursor %q, %v, want one", page.Meta.NextCursor, err)
	}
	cursor := page.Meta.NextCursor
	page.Meta.Total = nil
	if err := json.Unmarshal([]byte(ada.do("GET", "/workspaces?limit=1&after="+cursor, "").expect(200).body), &page); err != nil || page.Meta.Total != nil {
		t.Errorf("page after a cursor: got the total %v, %v, want no total", page.Meta.Total, err)
	}
	for name, path := range map[string]string{
		"another filter": "/workspaces?role=owner&after=", "another list": "/members?after=", "an altered cursor": "/workspaces?after=A", "a page as well": "/workspaces?page=2&after=",
	} {
		t.Run(name, func(t *testing.T) {
			if fields := ada.do("GET", path+cursor, "").fails(400, "validation_error"); len(fields) == 0 {
				t.Errorf("invalid fields: got %v, want at least one", fields)
			}
		})
	}
	eve := ada.s.owner("eve@example.com", "other")
	eve.do("GET", "/workspaces?after="+cursor, "").fails(400, "validation_error")
}

// Authentication is checked first, then permissions, then the body.
func TestOrderOfChecks(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	grace, eve := ada.member("grace@example.com", "user"), s.person("eve@example.com").in(ada.workspace)
	const bad = `{"email":`
	ada.do("POST", "/invitations", bad, "Authorization", "").fails(401, "unauthorized")
	if h := ada.do("GET", "/me", "", "Authorization", "").header.Get("WWW-Authenticate"); !strings.HasPrefix(h, "Bearer") {
		t.Errorf("WWW-Authenticate: got %q, want Bearer", h)
	}
	ada.do("GET", "/me", "", "Authorization", "Bearer pat_nobody").fails(401, "unauthorized")
	ada.do("GET", "/me", "", "Authorization", "Basic YTpi").fails(401, "unauthorized")
	ada.do("GET", "/me", "", "Authorization", "Bearer pr_live_x").fails(401, "unauthorized")
	ada.do("GET", "/me", "", "Authorization", "", "X-API-Key", "pr_live_x").fails(401, "invalid_api_key")
	ada.do("GET", "/me", "", "X-API-Key", "pr_live_x").fails(400, "bad_request")
	if fields := ada.in("").do("POST", "/invitations", bad).fails(400, "validation_error"); fields["X-Workspace-ID"] == "" {
		t.Errorf("request without a workspace: got the invalid fields %v, want X-Workspace-ID", fields)
	}
	eve.do("POST", "/invitations", bad).fails(404, "not_found")
	ada.in("research").do("GET", "/members", "").fails(404, "not_found") // an id, not a slug
	grace.do("POST", "/invitations", bad).fails(403, "insufficient_role")
	ada.do("POST", "/invitations", bad).fails(400, "bad_request")
	ada.do("POST", "/invitations/nothing/resend", bad, "Content-Type", "text/plain").fails(415, "unsupported_media_type")
	ada.do("POST", "/invitations/nothing/resend", "").fails(404, "not_found")
}

func TestRouter(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	for _, path := range []string{"/nothing", "/members/../me", "/members/%2e%2e/me", "//me", "/members/a%00b", "/members/a%2Fb", "/members/" + strings.Repeat("x", 5000), "/me/"} {
		ada.do("GET", path, "").fails(404, "not_found")
	}
	r := ada.do("DELETE", "/changelog/x", "")
	r.fails(405, "method_not_allowed")
	if r.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("Allow: got %q, want %q", r.header.Get("Allow"), "GET, HEAD")
	}
	if id := ada.do("GET", "/me", "", "X-Request-ID", "mine").header.Get("X-Request-ID"); id != "mine" {
		t.Errorf("X-Request-ID: got %q, want that of the request, %q", id, "mine")
	}
	if id := ada.do("GET", "/me", "", "X-Request-ID", strings.Repeat("x", 129)).header.Get("X-Request-ID"); len(id) != 27 {
		t.Errorf("X-Request-ID for one of 129 characters: got %q, want a new one of 27", id)
	}
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", ada.s.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := ada.s.http.Do(req)
		if err != nil || resp.StatusCode != 200 {
			t.Fatalf("GET %s: got %v, %v, want status 200", path, resp, err)
		}
		_ = resp.Body.Close()
	}
}

func TestIfMatch(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	rename := func(match string) *reply {
		return ada.do("PATCH", "/workspaces/research", `{"name":"x"}`, "If-Match", match)
	}
	rename(`"2"`).fails(412, "precondition_failed")
	for _, tag := range []string{`W/"1"`, `1`, `"1`, `"1" "2"`, `"1",`, `"1", *`} {
		if fields := rename(tag).fails(400, "validation_error"); fields["If-Match"] == "" {
			t.Errorf("If-Match %s: got the invalid fields %v, want If-Match", tag, fields)
		}
	}
	if got := ada.do("GET", "/workspaces/research", "").header.Get("ETag"); got != `"1"` {
		t.Errorf("ETag after refused changes: got %s, want %s", got, `"1"`)
	}
	rename(`*`).expect(200)
	ada.do("PATCH", "/workspaces/research", `{"name":"y"}`, "If-Match", `"7", "2"`).expect(200)
	ada.do("DELETE", "/workspaces/research?confirm_slug=research", "", "If-Match", `"2"`).fails(412, "precondition_failed")
}

// Every route in openapi.yaml is implemented. The reverse is checked by the tests
// that use a route: they fail if it is not described.
func TestDescribedRoutesExist(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	document, err := apicheck.Document()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range document.Paths.Map() {
		for method := range item.Operations() {
			r := ada.do(method, strings.ReplaceAll(path, "{id}", "x"), "", "Authorization", "")
			if r.status != 401 {
				t.Errorf("%s %s without authentication: got %d %s, want 401", method, path, r.status, r.body)
			}
		}
	}
}

// A request with 10 000 headers is refused by net/http, and the service still
// responds.
func TestManyHeaders(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	req, err := http.NewRequestWithContext(t.Context(), "GET", ada.s.url+"/api/v1/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10000 {
		req.Header.Set(fmt.Sprintf("X-Header-%d", i), strings.Repeat("x", 200))
	}
	resp, err := ada.s.http.Do(req)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status: got %d, want %d", resp.StatusCode, http.StatusRequestHeaderFieldsTooLarge)
		}
	}
	ada.do("GET", "/me", "").expect(200)
}
