package embedded_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// Every route rejects unknown query parameters without changing anything. Long
// search texts are rejected, too.
func TestUnknownParameters(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanPro}).owner("ada@example.com", "research")
	grace := ada.member("grace@example.com", "admin")
	id := grace.do("GET", "/members/me", "").text("id")
	for _, tt := range []struct{ name, method, path, body string }{
		{"misspelled", "GET", "/members?limits=5", ""},
		{"empty value", "GET", "/members/" + id + "?x=", ""},
		{"without a workspace", "GET", "/me?x=1", ""},
		{"create", "POST", "/agents?dry=1", `{"name":"a"}`},
		{"delete", "DELETE", "/members/" + id + "?api_key=revoke", ""},
		{"unknown value", "DELETE", "/members/me?api_keys=revok", ""},
		{"update", "PATCH", "/members/" + id + "?force=true", `{"role":"user"}`},
		{"other case", "GET", "/changelog?Order=asc", ""},
		{"preview", "POST", "/data-masking/preview?x=1", `{"text":"a"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if fields := ada.with(t).do(tt.method, tt.path, tt.body).fails(400, "validation_error"); len(fields) != 1 {
				t.Errorf("%s %s: got errors of the fields %v, want one of the parameter", tt.method, tt.path, fields)
			}
		})
	}
	grace.do("GET", "/members/me", "").expect(200) // neither removed nor left
	for _, q := range []string{"/members?q=", "/workspaces?q=", "/agents?q="} {
		ada.do("GET", q+strings.Repeat("a", 50_000), "").fails(400, "validation_error")
	}
}

// Preconditions are evaluated, or rejected if the route has no ETag.
func TestPreconditions(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanPro}).owner("ada@example.com", "research")
	agent := "/agents/" + ada.do("POST", "/agents", `{"name":"a"}`).expect(201).text("id")
	override := strings.Replace(agent, "/agents", "/data-masking/overrides", 1)
	ada.do("PUT", override, `{"enabled":false}`, "If-Match", "*").fails(412, "precondition_failed")
	ada.do("PUT", override, `{"enabled":false}`, "If-None-Match", "*").expect(200)
	ada.do("PUT", override, `{"enabled":true}`, "If-None-Match", "*").fails(412, "precondition_failed")
	ada.do("PUT", override, `{"enabled":true}`, "If-Match", "*").expect(200)
	ada.do("PATCH", agent, `{"x":1}`, "If-None-Match", `"1"`).fails(412, "precondition_failed")
	if r := ada.do("GET", agent, "", "If-None-Match", `"1"`); r.status != 304 || r.body != "" || r.header.Get("ETag") != `"1"` {
		t.Errorf("GET with the current ETag: got %d %s %v, want 304 without a body and the ETag \"1\"", r.status, r.body, r.header)
	}
	ada.do("GET", agent, "", "If-None-Match", `"2"`).expect(200)
	ada.do("GET", agent, "", "If-Match", `"2"`).fails(412, "precondition_failed")
	for _, c := range [][3]string{{"POST", "/agents", `{"name":"b"}`}, {"GET", "/agents", ""}, {"POST", agent + "/execute", `{}`}} {
		if fields := ada.do(c[0], c[1], c[2], "If-Match", `"1"`).fails(400, "validation_error"); fields["If-Match"] == "" {
			t.Errorf("%s %s: got errors of the fields %v, want one of If-Match", c[0], c[1], fields)
		}
	}
	if list := ada.do("GET", "/agents", "").body; strings.Count(list, `"name"`) != 1 {
		t.Errorf("agents after rejected requests: got %s, want one", list)
	}
}

// A body can have at most 100 levels.
func TestDeepBodies(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	nested := func(n int, left, right string) string {
		return strings.Repeat(left, n) + `"x"` + strings.Repeat(right, n)
	}
	ada.do("POST", "/prompts", `{"name":"a","config":`+nested(99, "[", "]")+`}`).expect(201)
	for _, tt := range []struct{ name, config, code string }{
		{"arrays", nested(100, "[", "]"), "validation_error"},
		{"objects", nested(100, `{"a":`, "}"), "validation_error"},
		{"very deep", nested(9990, "[", "]"), "validation_error"},
		{"unterminated string", `"` + strings.Repeat("[", 200), "bad_request"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ada.with(t).do("POST", "/prompts", `{"name":"a","config":`+tt.config+`}`).fails(400, tt.code)
		})
	}
	ada.do("POST", "/prompts", `{"name":"a","config":"`+strings.Repeat("[", 1000)+`"}`).expect(201) // brackets in a string
}

// Merging a wide document allocates memory in proportion to its size.
func TestWideBodies(t *testing.T) { // not parallel: it measures the allocations of the process
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	id := ada.do("POST", "/prompts", `{"name":"wide"}`).expect(201).text("id")
	patch := func(members int) uint64 {
		var body bytes.Buffer
		for i := range members {
			fmt.Fprintf(&body, `,"m%d":%d`, i, i)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		ada.do("PATCH", "/prompts/"+id, `{`+body.String()[1:]+`}`).expect(200)
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	some, many := patch(4000), patch(16000)
	if many > 8*some {
		t.Errorf("merging 4 times the members: got %d bytes allocated, want at most 8 times %d", many, some)
	}
}

// A page has at most 5 MiB. The next page continues after it.
func TestPageBytes(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	content := strings.Repeat("a", 900<<10)
	for i := range 10 {
		ada.do("POST", "/prompts", fmt.Sprintf(`{"name":"p%d","content":%q}`, i, content)).expect(201)
	}
	for _, path := range []string{"/prompts?limit=100", "/changelog?limit=100&order=asc&resource_type=prompt"} {
		t.Run(path, func(t *testing.T) {
			ada := ada.with(t)
			items, pages, after := 0, 0, ""
			for {
				r := ada.do("GET", path+after, "").expect(200)
				var page struct {
					Data []json.RawMessage
					Meta struct {
						NextCursor string `json:"next_cursor"`
					}
				}
				r.decode(&page)
				if len(r.body) > 5<<20 || len(page.Data) == 0 {
					t.Fatalf("page %d: got %d items and %d bytes, want at least 1 item and at most 5 MiB", pages+1, len(page.Data), len(r.body))
				}
				items += len(page.Data)
				pages++
				if page.Meta.NextCursor == "" {
					break
				}
				after = "&after=" + page.Meta.NextCursor
			}
			if items != 10 || pages < 3 {
				t.Errorf("got %d items on %d pages, want 10 on at least 3", items, pages)
			}
		})
	}
}
