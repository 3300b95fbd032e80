package embedded_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// A query parameter that a route does not know is refused, whatever it is.
func TestUnknownParameters(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanPro}).owner("ada@example.com", "research")
	grace := ada.member("grace@example.com", "admin")
	id := grace.do("GET", "/members/me", "").text("id")
	for _, c := range [][3]string{
		{"GET", "/members?limits=5", ""},
		{"GET", "/members/" + id + "?x=", ""},
		{"GET", "/me?x=1", ""},
		{"POST", "/agents?dry=1", `{"name":"a"}`},
		{"DELETE", "/members/" + id + "?api_key=revoke", ""},
		{"DELETE", "/members/me?api_keys=revok", ""},
		{"PATCH", "/members/" + id + "?force=true", `{"role":"user"}`},
		{"GET", "/changelog?Order=asc", ""},
		{"POST", "/data-masking/preview?x=1", `{"text":"a"}`},
	} {
		fields := ada.do(c[0], c[1], c[2]).fails(400, "validation_error")
		if len(fields) != 1 {
			t.Errorf("%s %s: faults %v, want one that names the parameter", c[0], c[1], fields)
		}
	}
	grace.do("GET", "/members/me", "").expect(200) // nothing was done
	for _, q := range []string{"/members?q=", "/workspaces?q=", "/agents?q="} {
		ada.do("GET", q+strings.Repeat("a", 50_000), "").fails(400, "validation_error")
	}
}

// Who leaves, or is demoted, can lose the keys that they made.
func TestKeysGoWithTheirMaker(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanPro})
	ada := s.owner("ada@example.com", "research")
	for how, act := range map[string]func(*person, string) *reply{
		"leaving": func(p *person, _ string) *reply { return p.do("DELETE", "/members/me?api_keys=revoke", "") },
		"demotion": func(_ *person, id string) *reply {
			return ada.do("PATCH", "/members/"+id+"?api_keys=revoke", `{"role":"user"}`)
		},
	} {
		p := ada.member(how+"@example.com", "admin")
		key := p.key(all)
		if r := act(p, p.do("GET", "/members/me", "").text("id")); r.status >= 300 {
			t.Fatal(how, r.status, r.body)
		}
		key.do("GET", "/members", "").fails(401, "api_key_revoked")
	}
}

// Preconditions are obeyed, or refused where they mean nothing.
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
		t.Errorf("a GET of what the caller has: %d %s, want 304", r.status, r.body)
	}
	ada.do("GET", agent, "", "If-None-Match", `"2"`).expect(200)
	ada.do("GET", agent, "", "If-Match", `"2"`).fails(412, "precondition_failed")
	for _, c := range [][3]string{{"POST", "/agents", `{"name":"b"}`}, {"GET", "/agents", ""}, {"POST", agent + "/execute", `{}`}} {
		if fields := ada.do(c[0], c[1], c[2], "If-Match", `"1"`).fails(400, "validation_error"); fields["If-Match"] == "" {
			t.Errorf("%s %s: %v, want a fault of If-Match", c[0], c[1], fields)
		}
	}
	if n := ada.do("GET", "/agents", "").body; strings.Count(n, `"name"`) != 1 {
		t.Errorf("a refused request made something: %s", n)
	}
}

// An expiry in the year 1 is in the past, and scopes are kept once.
func TestKeyForm(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	const yearOne = `"expires_at":"0001-01-01T00:00:00Z"`
	ada.do("POST", "/api-keys", `{"name":"k","scopes":["agents:read"],`+yearOne+`}`).fails(400, "validation_error")
	key := ada.do("POST", "/api-keys", `{"name":"k","scopes":["agents:read","prompts:read","agents:read"],"expires_at":"2099-01-01T00:00:00Z"}`).expect(201)
	if !strings.Contains(key.body, `"scopes":["agents:read","prompts:read"]`) {
		t.Errorf("scopes that come twice: %s", key.body)
	}
	ada.do("PATCH", "/api-keys/"+key.text("id"), `{`+yearOne+`}`).fails(400, "validation_error")
	ada.do("PATCH", "/api-keys/"+key.text("id"), `{"expires_at":null}`).expect(200)
	for _, origin := range []string{"https://a.example.com:0", "https://a.example.com:99999", "https://a.example.com:x"} {
		ada.do("POST", "/api-keys", fmt.Sprintf(`{"name":"k","scopes":["agents:read"],"allowed_origins":[%q]}`, origin)).fails(400, "validation_error")
	}
	unicode := ada.key(`{"name":"k","scopes":["agents:read"],"allowed_origins":["https://bücher.example","https://*.müller.example:8443"]}`)
	for origin, status := range map[string]int{"https://xn--bcher-kva.example": 200, "https://app.xn--mller-kva.example:8443": 200, "https://xn--mller-kva.example:8443": 403, "https://bucher.example": 403} {
		unicode.do("GET", "/api-keys/current", "", "Origin", origin).expect(status)
	}
}

// A key revokes only keys that it may change, and itself.
func TestKeysRevokeWithinTheirRights(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	wide, narrow := ada.key(all), ada.key(`{"name":"n","scopes":["api_keys:write","api_keys:read"]}`)
	narrow.do("DELETE", "/api-keys/"+wide.id, "").fails(403, "insufficient_scope")
	wide.do("GET", "/members", "").expect(200)
	successor := ada.do("POST", "/api-keys/"+wide.id+"/rotate", `{"overlap_seconds":600}`).expect(201)
	wide.do("DELETE", "/api-keys/"+successor.text("id"), "").fails(403, "forbidden")
	wide.do("DELETE", "/api-keys/"+wide.id, "").expect(204)
	narrow.do("DELETE", "/api-keys/"+narrow.id, "").expect(204)
	// A key that is revoked says which one it is.
	if r := narrow.do("GET", "/members", ""); r.status != 401 || !strings.Contains(r.body, `"api_key_id":"`+narrow.id+`"`) {
		t.Errorf("%d %s, want 401 with the key's id", r.status, r.body)
	}
}

// A use that another service verifies counts, and says from where.
func TestVerifiedUsesCount(t *testing.T) {
	t.Parallel()
	var clock clock
	s := newServer(t, embedded.Config{Now: clock.now})
	ada := s.owner("ada@example.com", "research")
	used, unused := ada.key(all), ada.key(`{"name":"n","scopes":["agents:read"]}`)
	clock.forward(time.Hour)
	ada.do("POST", "/api-keys/verify", `{"key":"`+used.secret+`","ip":"203.0.113.9"}`).expect(200)
	ada.do("POST", "/api-keys/verify", `{"key":"`+unused.secret+`","scopes":["members:read"]}`).expect(200) // refused: no use
	if k := ada.do("GET", "/api-keys/"+used.id, ""); k.text("last_used_ip") != "203.0.113.9" || k.text("last_used_at") == "" {
		t.Errorf("after a verified use: %s", k.body)
	}
	if k := ada.do("GET", "/api-keys/"+used.id, ""); k.text("created_by_member") != ada.do("GET", "/members/me", "").text("id") {
		t.Errorf("the maker is not named by the member id: %s", k.body)
	}
	since := clock.now().Add(-time.Minute).Format(time.RFC3339)
	if list := ada.do("GET", "/api-keys?unused_since="+since, "").expect(200).body; strings.Contains(list, used.id) || !strings.Contains(list, unused.id) {
		t.Errorf("unused since %s: %s", since, list)
	}
	soon := ada.do("POST", "/api-keys", `{"name":"k","scopes":["agents:read"],"expires_at":"2026-02-01T00:00:00Z"}`).expect(201).text("id")
	if list := ada.do("GET", "/api-keys?expires_before=2026-03-01T00:00:00Z", "").expect(200).body; !strings.Contains(list, soon) || strings.Contains(list, used.id) {
		t.Errorf("expiring soon: %s", list)
	}
}

// What uses a credential can be asked, without trying to delete it.
func TestCredentialUsage(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	credential := ada.credential("sk-value")
	if r := ada.do("GET", "/credentials/"+credential+"/usage", "").expect(200); r.body != `{"data":[]}` {
		t.Errorf("of one that nothing uses: %s", r.body)
	}
	agent := ada.do("POST", "/agents", `{"name":"Scout","config":{"credential_id":"`+credential+`"}}`).expect(201).text("id")
	if r := ada.do("GET", "/credentials/"+credential+"/usage", "").expect(200); r.body != `{"data":[{"type":"agent","id":"`+agent+`","name":"Scout"}]}` {
		t.Errorf("of one that an agent uses: %s", r.body)
	}
	ada.do("GET", "/credentials/nothing/usage", "").fails(404, "not_found")
}

// Addresses that nobody could accept an invitation with take no seat, and names
// can be read.
func TestTextThatCannotBeSeen(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanPro}).owner("ada@example.com", "research")
	for _, email := range []string{"a@example.com\u00a0", "a@example.com\u200b", "\ufeffa@example.com", "a@example.com\u2028", "a\u3000@example.com", "\u202ea@example.com", "a\tb@example.com", "a@exam\u00adple.com"} {
		ada.do("POST", "/invitations", fmt.Sprintf(`{"email":%s,"role":"user"}`, quoted(t, email))).fails(400, "validation_error")
		if _, err := ada.s.CreateUser(t.Context(), email, ""); err == nil {
			t.Errorf("CreateUser(%q): no error", email)
		}
	}
	for _, name := range []string{"a\nb", "a\tb", "a\u2028b", "\u200b", "\u3164", "\u0301", "a\x1b[31mb", "\u00a0"} {
		ada.do("PATCH", "/workspaces/research", `{"name":`+quoted(t, name)+`}`).fails(400, "validation_error")
		ada.do("POST", "/agents", `{"name":`+quoted(t, name)+`}`).fails(400, "validation_error")
	}
}

func quoted(t *testing.T, s string) string {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Within one moment, lists are in the order of creation.
func TestOrderUnderAClockThatStandsStill(t *testing.T) {
	t.Parallel()
	var clock clock
	s := newServer(t, embedded.Config{Now: clock.now, DefaultPlan: promptrails.PlanPro})
	ada := s.owner("ada@example.com", "research")
	var want []string
	for i := range 30 {
		if i == 20 {
			clock.forward(-time.Hour) // ids never go back; what was made is still in its order
			want = nil
		}
		want = append([]string{ada.do("POST", "/prompts", fmt.Sprintf(`{"name":"p%d"}`, i)).expect(201).text("id")}, want...)
	}
	var page struct{ Data []struct{ ID string } }
	ada.do("GET", "/prompts?limit=100", "").decode(&page)
	var got []string
	for _, p := range page.Data[20:] {
		got = append(got, p.ID)
	}
	if !slices.Equal(got, want) || !slices.IsSortedFunc(want, func(a, b string) int { return strings.Compare(b, a) }) {
		t.Errorf("listed as %v, want %v", got, want)
	}
}

// A body is dealt with in time that does not depend on its depth, which is
// bounded, and a wide document is merged member by member.
func TestDeepAndWideBodies(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	nested := func(n int, open, shut string) string {
		return strings.Repeat(open, n) + `"x"` + strings.Repeat(shut, n)
	}
	ada.do("POST", "/prompts", `{"name":"a","config":`+nested(99, "[", "]")+`}`).expect(201)
	for _, body := range []string{nested(100, "[", "]"), nested(100, `{"a":`, "}"), nested(9990, "[", "]"), `"` + strings.Repeat("[", 200)} {
		ada.do("POST", "/prompts", `{"name":"a","config":`+body+`}`).fails(400, map[bool]string{true: "bad_request", false: "validation_error"}[strings.HasPrefix(body, `"`)])
	}
	ada.do("POST", "/prompts", `{"name":"a","config":"`+strings.Repeat("[", 1000)+`"}`).expect(201) // in a string
}

// A wide document is merged member by member: it allocates what its size needs.
func TestWideBodies(t *testing.T) { // not parallel: it measures what the process allocates
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
		t.Errorf("4 times the members allocate %d bytes, want 8 times %d at most", many, some)
	}
}

// A page has a bounded number of bytes, and goes on.
func TestPagesAreBoundedByBytes(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	content := strings.Repeat("a", 900<<10)
	for i := range 10 {
		ada.do("POST", "/prompts", fmt.Sprintf(`{"name":"p%d","content":%q}`, i, content)).expect(201)
	}
	for _, path := range []string{"/prompts?limit=100", "/changelog?limit=100&order=asc&resource_type=prompt"} {
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
				t.Fatalf("%s: a page of %d items and %d bytes, want 5 MiB at most", path, len(page.Data), len(r.body))
			}
			items += len(page.Data)
			pages++
			if page.Meta.NextCursor == "" {
				break
			}
			after = "&after=" + page.Meta.NextCursor
		}
		if items != 10 || pages < 3 {
			t.Errorf("%s: %d items on %d pages, want 10 on 3 or more", path, items, pages)
		}
	}
}

// Writers of a database that another program holds are told to come back.
func TestWritersOfALockedDatabase(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	ada := newServer(t, embedded.Config{DSN: file}).owner("ada@example.com", "research")
	release := lock(t, file)
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			r := ada.do("PATCH", "/workspaces/research", `{"name":"n"}`)
			if r.status != 503 || r.header.Get("Retry-After") == "" {
				t.Errorf("%d %s, want 503 with Retry-After", r.status, r.body)
			}
		})
	}
	callers.Wait()
	release()
	ada.do("PATCH", "/workspaces/research", `{"name":"n"}`).expect(200)
}

// What a receiver asks for is heard.
func TestReceiversAreHeard(t *testing.T) {
	t.Parallel()
	for status, retryAfter := range map[int]string{410: "", 429: "3600", 503: "3600", 500: "3600"} {
		ada := newServer(t, embedded.Config{AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
		channel, _ := ada.channel(newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", retryAfter)
			w.WriteHeader(status)
		}).url)
		before := ada.sequence()
		ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
		d := ada.deliveries(channel, func(all []promptrails.Delivery) bool { return len(all[0].Attempts) == 1 })[0]
		wait := time.Until(d.NextAttemptAt)
		c := ada.do("GET", "/notification-channels/"+channel, "").expect(200)
		switch status {
		case 410:
			if d.Status != promptrails.DeliveryFailed || !strings.Contains(c.body, `"is_active":false`) || !strings.Contains(c.text("paused_reason"), "410") || ada.sequence() != before+1 {
				t.Errorf("410: %+v and %s, want a paused channel with its reason and an entry", d, c.body)
			}
		case 500:
			if wait > time.Minute {
				t.Errorf("500: the next attempt is in %s, want the regular pause", wait)
			}
		default:
			if wait < 59*time.Minute || wait > 61*time.Minute {
				t.Errorf("%d with Retry-After: 3600: the next attempt is in %s", status, wait)
			}
		}
	}
}
