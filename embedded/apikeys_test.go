package embedded_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// key creates an API key from body.
func (p *person) key(body string) *keyCaller {
	p.s.t.Helper()
	r := p.do("POST", "/api-keys", body).expect(201)
	return &keyCaller{p: p, id: r.text("id"), secret: r.text("key")}
}

// keyCaller calls the API with an API key.
type keyCaller struct {
	p          *person // a member of the key's workspace
	id, secret string
}

// with returns a copy of k that reports failures to t, for use in subtests.
func (k *keyCaller) with(t *testing.T) *keyCaller {
	other := *k
	other.p = k.p.with(t)
	return &other
}

// do sends a request with the key, and without X-Workspace-ID.
func (k *keyCaller) do(method, path, body string, headers ...string) *reply {
	k.p.s.t.Helper()
	return k.p.do(method, path, body, append([]string{"Authorization", "", "X-API-Key", k.secret, "X-Workspace-ID", ""}, headers...)...)
}

// all is a key with every scope.
const all = `{"name":"k","scopes":["*"]}`

// A key is checked for its expiry, then its addresses, origins and scopes.
func TestKeyChecks(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		var c clock
		cfg.Now = c.now
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		s := newServer(t, cfg)
		ada, eve := s.owner("ada@example.com", "one"), s.owner("eve@example.com", "two")
		k := ada.key(`{"name":"k","scopes":["members:read"],"allowed_ips":["10.0.0.0/8","2001:db8::/32"],"allowed_origins":["https://*.example.com"],"expires_at":"` + c.now().Add(time.Hour).Format(time.RFC3339) + `"}`)
		const from, origin = "X-Forwarded-For", "Origin"
		good := []string{from, "10.1.2.3", origin, "https://app.example.com"}
		k.do("GET", "/members", "", good...).expect(200)
		k.do("GET", "/members", "", from, "::ffff:10.1.2.3", origin, "https://app.example.com").expect(200)
		k.do("GET", "/members", "", from, "10.1.2.3, 203.0.113.9", origin, "https://app.example.com").fails(403, "ip_not_allowed")
		k.do("GET", "/members", "", from, "10.1.2.3").fails(403, "origin_not_allowed")
		k.do("GET", "/members", "", from, "10.1.2.3", origin, "null").fails(403, "origin_not_allowed")
		k.do("GET", "/members", "", from, "203.0.113.9", origin, "null").fails(403, "ip_not_allowed") // the address is checked first
		k.do("GET", "/credentials", "", good...).fails(403, "insufficient_scope")
		k.do("GET", "/credentials", "", from, "10.1.2.3", origin, "https://example.com").fails(403, "origin_not_allowed") // before the scope
		k.do("GET", "/me", "", good...).fails(403, "user_token_required")
		k.do("POST", "/workspaces", `{"name":"a","slug":"b"}`, good...).fails(403, "user_token_required")
		k.do("GET", "/api-keys/current", "", good...).expect(200)
		// A key belongs to one workspace.
		k.do("GET", "/members", "", append(good, "X-Workspace-ID", ada.workspace)...).expect(200)
		k.do("GET", "/members", "", append(good, "X-Workspace-ID", eve.workspace)...).fails(404, "not_found")
		eve.do("GET", "/api-keys/"+k.id, "").fails(404, "not_found")
		// A mistyped key, a prefix of a key and strings of another form are invalid.
		for _, secret := range []string{k.secret[:len(k.secret)-1] + "!", k.secret[:20], "pr_live_x", "sk-x"} {
			other := *k
			other.secret = secret
			other.do("GET", "/members", "", good...).fails(401, "invalid_api_key")
		}
		c.forward(time.Hour - time.Microsecond)
		k.do("GET", "/members", "", good...).expect(200)
		c.forward(time.Microsecond) // a key is expired at its expiry
		k.do("GET", "/members", "", from, "203.0.113.9").fails(401, "api_key_expired")
		ada.do("PATCH", "/api-keys/"+k.id, `{"name":"x"}`).fails(409, "invalid_state")
		ada.do("DELETE", "/api-keys/"+k.id, "").expect(204)
		k.do("GET", "/members", "", good...).fails(401, "api_key_revoked")
	})
}

// The fields of a key are validated. A key calls the API as an admin.
func TestKeyFields(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	for _, tt := range []struct{ name, field, body string }{
		{"no scopes", "scopes", `{"name":"k"}`},
		{"empty scopes", "scopes", `{"name":"k","scopes":[]}`},
		{"unknown scope", "scopes", `{"name":"k","scopes":["members:fly"]}`},
		{"no name", "name", `{"scopes":["*"]}`},
		{"empty allowed_ips", "allowed_ips", `{"name":"k","scopes":["*"],"allowed_ips":[]}`},
		{"prefix with host bits", "allowed_ips", `{"name":"k","scopes":["*"],"allowed_ips":["10.1.2.3/8"]}`},
		{"origin without a scheme", "allowed_origins", `{"name":"k","scopes":["*"],"allowed_origins":["example.com"]}`},
		{"expiry in the past", "expires_at", `{"name":"k","scopes":["*"],"expires_at":"2020-01-01T00:00:00Z"}`},
		{"invalid expiry", "expires_at", `{"name":"k","scopes":["*"],"expires_at":"soon"}`},
		{"read-only field", "status", `{"name":"k","scopes":["*"],"status":"active"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if fields := ada.with(t).do("POST", "/api-keys", tt.body).fails(400, "validation_error"); fields[tt.field] == "" {
				t.Errorf("%s: got errors of the fields %v, want one of %s", tt.body, fields, tt.field)
			}
		})
	}
	k := ada.key(`{"name":"k","scopes":["*"],"allowed_ips":null}`)
	if fields := ada.do("POST", "/api-keys/"+k.id+"/rotate", `{"overlap_seconds":604801}`).fails(400, "validation_error"); fields["overlap_seconds"] == "" {
		t.Errorf("rotate with an overlap of a week and a second: got errors of the fields %v, want one of overlap_seconds", fields)
	}
	ada.member("grace@example.com", "user").do("GET", "/api-keys", "").fails(403, "insufficient_role")
	ada.do("GET", "/api-keys/current", "").fails(403, "forbidden")
	// A key has the role of an admin. It is the actor in the changelog.
	k.do("POST", "/invitations", `{"email":"joan@example.com","role":"user"}`).expect(201)
	actor := `"actor":{"id":"` + k.id + `","name":"k","type":"api_key"}`
	if log := ada.do("GET", "/changelog?limit=1", "").body; !strings.Contains(log, actor) {
		t.Errorf("changelog: got %s, want %s", log, actor)
	}
	if got := k.do("GET", "/workspaces", "").expect(200).body; strings.Count(got, `"slug"`) != 1 || strings.Contains(got, `"role"`) {
		t.Errorf("workspaces of a key: got %s, want one, without a role", got)
	}
	k.do("GET", "/workspaces/research", "").expect(200)
}

// A rotated key is revoked after the overlap, or at its expiry if that is
// earlier.
func TestRotationOverlap(t *testing.T) {
	t.Parallel()
	var c clock
	s := newServer(t, embedded.Config{Now: c.now})
	ada := s.owner("ada@example.com", "research")
	old := ada.key(`{"name":"k","scopes":["*"],"expires_at":"` + c.now().Add(2*time.Hour).Format(time.RFC3339) + `"}`)
	r := ada.do("POST", "/api-keys/"+old.id+"/rotate", `{"overlap_seconds":3600}`).expect(201)
	next := &keyCaller{ada, r.text("id"), r.text("key")}
	old.do("GET", "/members", "").expect(200)
	old.do("POST", "/api-keys", all).fails(403, "forbidden") // a key in its overlap creates no keys
	old.do("POST", "/api-keys/"+next.id+"/rotate", `{}`).fails(403, "forbidden")
	ada.do("POST", "/api-keys/"+old.id+"/rotate", `{}`).fails(409, "invalid_state")
	c.forward(time.Hour - time.Microsecond)
	old.do("GET", "/members", "").expect(200)
	c.forward(time.Microsecond)
	old.do("GET", "/members", "").fails(401, "api_key_revoked")
	if list := ada.do("GET", "/api-keys?status=revoked", "").body; !strings.Contains(list, old.id) || strings.Contains(list, `"id":"`+next.id) {
		t.Errorf("revoked keys: got %s, want %s and not %s", list, old.id, next.id)
	}
	next.do("GET", "/members", "").expect(200)
	r = ada.do("POST", "/api-keys/"+next.id+"/rotate", `{"overlap_seconds":604800}`).expect(201)
	if ends := ada.do("GET", "/api-keys/"+next.id, "").text("overlap_ends_at"); !strings.HasPrefix(ends, c.now().Add(time.Hour).Format("2006-01-02T15:04:05")) {
		t.Errorf("overlap_ends_at: got %s, want the expiry, %s", ends, c.now().Add(time.Hour))
	}
	// Revoking the old key earlier does not affect the new one.
	ada.do("DELETE", "/api-keys/"+next.id, "").expect(204)
	next.do("GET", "/members", "").fails(401, "api_key_revoked")
	(&keyCaller{ada, r.text("id"), r.text("key")}).do("GET", "/members", "").expect(200)
}

// A key cannot change or rotate a key with wider permissions, even to reduce them.
func TestKeysCannotChangeWiderKeys(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	wide := ada.key(all)
	narrow := ada.key(`{"name":"n","scopes":["api_keys:write"],"allowed_ips":["127.0.0.1"]}`)
	const within = `{"scopes":["api_keys:write"],"allowed_ips":["127.0.0.1"]}`
	narrow.do("PATCH", "/api-keys/"+wide.id, within).fails(403, "insufficient_scope")
	narrow.do("POST", "/api-keys/"+wide.id+"/rotate", `{}`).fails(403, "insufficient_scope")
	ada.do("PATCH", "/api-keys/"+wide.id, `{"scopes":["api_keys:write"]}`).expect(200)
	narrow.do("PATCH", "/api-keys/"+wide.id, within).fails(403, "forbidden") // the target allows every address
	ada.do("PATCH", "/api-keys/"+wide.id, within).expect(200)
	narrow.do("PATCH", "/api-keys/"+wide.id, `{"name":"renamed"}`).expect(200)
}

// Verify returns whether a key is valid, and why not.
func TestVerify(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada, eve := s.owner("ada@example.com", "one"), s.owner("eve@example.com", "two")
	k := ada.key(`{"name":"k","scopes":["members:read"],"allowed_origins":["https://app.example.com"]}`)
	for _, tt := range []struct{ name, body, want string }{
		{"valid", `{"key":"` + k.secret + `"}`, `"valid":true`},
		{"allowed origin", `{"key":"` + k.secret + `","origin":"https://app.example.com"}`, `"valid":true`},
		{"empty origin", `{"key":"` + k.secret + `","origin":""}`, `"code":"origin_not_allowed"`},
		{"missing scope", `{"key":"` + k.secret + `","scopes":["members:read","members:write"]}`, `"code":"insufficient_scope"`},
		{"unknown key", `{"key":"pr_live_nobody"}`, `"code":"invalid_api_key","api_key":null`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if r := ada.with(t).do("POST", "/api-keys/verify", tt.body).expect(200); !strings.Contains(r.body, tt.want) || strings.Contains(r.body, k.secret) {
				t.Errorf("verify: got %s, want %s without the key", r.body, tt.want)
			}
		})
	}
	// Another workspace's key is unknown.
	if a, b := eve.do("POST", "/api-keys/verify", `{"key":"`+k.secret+`"}`), eve.do("POST", "/api-keys/verify", `{"key":"pr_live_nobody"}`); a.body != b.body {
		t.Errorf("verify of another workspace's key: got %s, want the response for an unknown key, %s", a.body, b.body)
	}
}

// Removing a member revokes the keys that the member created only if asked to.
func TestRemovedMembersKeys(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	grace, joan := ada.member("grace@example.com", "admin"), ada.member("joan@example.com", "admin")
	mine, theirs := grace.key(all), joan.key(all)
	ada.do("DELETE", "/members/"+joan.do("GET", "/members/me", "").text("id"), "").expect(204)
	theirs.do("GET", "/members", "").expect(200) // keys belong to the workspace
	ada.do("DELETE", "/members/"+grace.do("GET", "/members/me", "").text("id")+"?api_keys=revoke", "").expect(204)
	mine.do("GET", "/members", "").fails(401, "api_key_revoked")
	theirs.do("GET", "/members", "").expect(200)
	// A replay checks the key again.
	rename := func() *reply { return theirs.do("PATCH", "/workspaces/research", `{"name":"x"}`, idempotencyKey, "k") }
	rename().expect(200)
	if !rename().expect(200).replayed() {
		t.Error("second PATCH with the same idempotency key: got a new response, want a replay")
	}
	ada.do("DELETE", "/api-keys/"+theirs.id, "").expect(204)
	rename().fails(401, "api_key_revoked")
}

// The last use of a key is stored to the minute, so that not every request
// writes.
func TestKeyLastUsed(t *testing.T) {
	oneProcess(t, "a process stores uses of keys after a minute")
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	k := ada.key(all)
	k.do("GET", "/members", "").expect(200)
	if used := ada.do("GET", "/api-keys/"+k.id, "").text("last_used_at"); !strings.HasSuffix(used, ":00.000000Z") {
		t.Errorf("last_used_at: got %s, want it truncated to the minute", used)
	}
}

// Keys create, change and rotate keys at random. The permissions, addresses and
// expiry of each resulting key stay within those of the first.
func TestKeysCannotEscalate(t *testing.T) {
	t.Parallel()
	var c clock
	s := newServer(t, embedded.Config{Now: c.now})
	ada := s.owner("ada@example.com", "research")
	expiry := func(hours int) string { return c.now().Add(time.Duration(hours) * time.Hour).Format(time.RFC3339) }
	scopes := []string{`"api_keys:write"`, `"api_keys:read"`, `"members:read"`, `"members:write"`, `"*"`}
	ips := []string{"", `,"allowed_ips":["127.0.0.0/8"]`, `,"allowed_ips":["127.0.0.0/16"]`, `,"allowed_ips":["127.0.0.1","10.0.0.0/8"]`, `,"allowed_ips":null`, `,"allowed_ips":["0.0.0.0/0"]`}
	expiries := []string{"", `,"expires_at":"` + expiry(1) + `"`, `,"expires_at":"` + expiry(3) + `"`, `,"expires_at":null`, `,"expires_at":"` + expiry(9) + `"`}
	rapid.Check(t, func(rt *rapid.T) {
		body := func(label string, first bool) string {
			set := []string{scopes[0]}
			for _, scope := range rapid.SliceOfNDistinct(rapid.SampledFrom(scopes[1:]), 0, 2, rapid.ID).Draw(rt, label+" scopes") {
				if !first || scope != `"*"` && scope != `"members:write"` {
					set = append(set, scope)
				}
			}
			return fmt.Sprintf(`{"name":"k","scopes":[%s]%s%s}`, strings.Join(set, ","), rapid.SampledFrom(ips).Draw(rt, label+" ips"), rapid.SampledFrom(expiries).Draw(rt, label+" expiry"))
		}
		root := ada.key(`{"name":"root","scopes":["api_keys:write","api_keys:read","members:read"],"allowed_ips":["127.0.0.0/16"],"expires_at":"` + expiry(3) + `"}`)
		chain := []*keyCaller{root}
		for step := range rapid.IntRange(1, 6).Draw(rt, "steps") {
			label := fmt.Sprint(step)
			actor := rapid.SampledFrom(chain).Draw(rt, label+" actor")
			target := rapid.SampledFrom(chain).Draw(rt, label+" target")
			var r *reply
			switch rapid.IntRange(0, 2).Draw(rt, label+" act") {
			case 0:
				r = actor.do("POST", "/api-keys", body(label, false))
			case 1:
				r = actor.do("PATCH", "/api-keys/"+target.id, body(label, false))
			default:
				r = actor.do("POST", "/api-keys/"+target.id+"/rotate", `{"overlap_seconds":60}`)
			}
			if r.status >= 500 {
				rt.Fatalf("%s: got %d %s, want a status below 500", r.what, r.status, r.body)
			}
			if r.status == 201 {
				chain = append(chain, &keyCaller{ada, r.text("id"), r.text("key")})
			}
		}
		outer := promptrails.Scopes{"api_keys:write", "api_keys:read", "members:read"}
		client := ada.client()
		for _, k := range chain {
			got, err := client.APIKeys.Get(t.Context(), k.id)
			if err != nil {
				rt.Fatal(err)
			}
			within := len(got.AllowedIPs) > 0
			for _, entry := range got.AllowedIPs {
				within = within && strings.HasPrefix(entry, "127.0.0.")
			}
			if !outer.Covers(got.Scopes...) || !within || got.ExpiresAt.IsZero() || got.ExpiresAt.After(c.now().Add(3*time.Hour)) {
				rt.Fatalf("key %s: got scopes %v, addresses %v and expiry %s, want at most those of the first key: %v, 127.0.0.0/16 and %s", k.id, got.Scopes, got.AllowedIPs, got.ExpiresAt, outer, expiry(3))
			}
		}
	})
}

// A list filtered by expires_before is in the order of expiry, and one filtered
// by unused_since in the order of last use. Pages keep the order.
func TestAPIKeyFilterOrder(t *testing.T) {
	oneProcess(t, "a process stores uses of keys after a minute")
	t.Parallel()
	var clock clock
	ada := newServer(t, embedded.Config{Now: clock.now}).owner("ada@example.com", "research")
	create := func(expires string) *keyCaller {
		clock.forward(time.Second)
		return ada.key(`{"name":"k","scopes":["api_keys:read"],"expires_at":"` + expires + `"}`)
	}
	third, first, second := create("2026-12-03T00:00:00Z"), create("2026-12-01T00:00:00Z"), create("2026-12-02T00:00:00Z")
	for _, k := range []*keyCaller{second, third} { // first is unused
		clock.forward(time.Hour)
		k.do("GET", "/api-keys/current", "").expect(200)
	}
	for _, tt := range []struct {
		name, query string
		want        []string
	}{
		{"expiry", "expires_before=2027-01-01T00:00:00Z", []string{first.id, second.id, third.id}},
		{"last use", "unused_since=2027-01-01T00:00:00Z", []string{first.id, second.id, third.id}},
		{"both", "unused_since=2027-01-01T00:00:00Z&expires_before=2026-12-03T00:00:00Z", []string{first.id, second.id}},
		{"no filter", "", []string{second.id, first.id, third.id}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ada := ada.with(t)
			var got []string
			for after := ""; ; {
				var page struct {
					Data []struct{ ID string }
					Meta struct {
						Next string `json:"next_cursor"`
					}
				}
				ada.do("GET", "/api-keys?limit=1&after="+after+"&"+tt.query, "").expect(200).decode(&page)
				got = append(got, page.Data[0].ID)
				if after = page.Meta.Next; after == "" {
					break
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("keys by %q: got %v, want %v", tt.query, got, tt.want)
			}
		})
	}
}
