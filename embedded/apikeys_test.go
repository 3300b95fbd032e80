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

// key makes a key and returns a caller that acts with it.
func (p *person) key(body string) *keyCaller {
	p.s.t.Helper()
	r := p.do("POST", "/api-keys", body).expect(201)
	return &keyCaller{p: p, id: r.text("id"), secret: r.text("key")}
}

type keyCaller struct {
	p          *person
	id, secret string
}

func (k *keyCaller) do(method, path, body string, headers ...string) *reply {
	k.p.s.t.Helper()
	return k.p.do(method, path, body, append([]string{"Authorization", "", "X-API-Key", k.secret, "X-Workspace-ID", ""}, headers...)...)
}

const all = `{"name":"k","scopes":["*"]}`

func TestKeysAreJudged(t *testing.T) {
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
		k.do("GET", "/members", "", from, "203.0.113.9", origin, "null").fails(403, "ip_not_allowed") // the address is judged first
		k.do("GET", "/credentials", "", good...).fails(403, "insufficient_scope")
		k.do("GET", "/credentials", "", from, "10.1.2.3", origin, "https://example.com").fails(403, "origin_not_allowed") // before the scope
		k.do("GET", "/me", "", good...).fails(403, "user_token_required")
		k.do("POST", "/workspaces", `{"name":"a","slug":"b"}`, good...).fails(403, "user_token_required")
		k.do("GET", "/api-keys/current", "", good...).expect(200)
		// Its own workspace and no other.
		k.do("GET", "/members", "", append(good, "X-Workspace-ID", ada.workspace)...).expect(200)
		k.do("GET", "/members", "", append(good, "X-Workspace-ID", eve.workspace)...).fails(404, "not_found")
		eve.do("GET", "/api-keys/"+k.id, "").fails(404, "not_found")
		// A mistyped key, a prefix of one, and one of another form are not known.
		for _, secret := range []string{k.secret[:len(k.secret)-1] + "!", k.secret[:20], "pr_live_x", "sk-x"} {
			other := *k
			other.secret = secret
			other.do("GET", "/members", "", good...).fails(401, "invalid_api_key")
		}
		c.forward(time.Hour - time.Microsecond)
		k.do("GET", "/members", "", good...).expect(200)
		c.forward(time.Microsecond) // at its expiry it is expired
		k.do("GET", "/members", "", from, "203.0.113.9").fails(401, "api_key_expired")
		ada.do("PATCH", "/api-keys/"+k.id, `{"name":"x"}`).fails(409, "invalid_state")
		ada.do("DELETE", "/api-keys/"+k.id, "").expect(204)
		k.do("GET", "/members", "", good...).fails(401, "api_key_revoked")
	})
}

func TestKeyForms(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	for body, field := range map[string]string{
		`{"name":"k"}`:                                                    "scopes",
		`{"name":"k","scopes":[]}`:                                        "scopes",
		`{"name":"k","scopes":["members:fly"]}`:                           "scopes",
		`{"scopes":["*"]}`:                                                "name",
		`{"name":"k","scopes":["*"],"allowed_ips":[]}`:                    "allowed_ips",
		`{"name":"k","scopes":["*"],"allowed_ips":["10.1.2.3/8"]}`:        "allowed_ips",
		`{"name":"k","scopes":["*"],"allowed_origins":["example.com"]}`:   "allowed_origins",
		`{"name":"k","scopes":["*"],"expires_at":"2020-01-01T00:00:00Z"}`: "expires_at",
		`{"name":"k","scopes":["*"],"expires_at":"soon"}`:                 "expires_at",
		`{"name":"k","scopes":["*"],"status":"active"}`:                   "status",
	} {
		if fields := ada.do("POST", "/api-keys", body).fails(400, "validation_error"); fields[field] == "" {
			t.Errorf("%s: %v", body, fields)
		}
	}
	k := ada.key(`{"name":"k","scopes":["*"],"allowed_ips":null}`)
	if fields := ada.do("POST", "/api-keys/"+k.id+"/rotate", `{"overlap_seconds":604801}`).fails(400, "validation_error"); fields["overlap_seconds"] == "" {
		t.Errorf("%v", fields)
	}
	ada.member("grace@example.com", "user").do("GET", "/api-keys", "").fails(403, "insufficient_role")
	ada.do("GET", "/api-keys/current", "").fails(403, "forbidden")
	// A key ranks as an admin, and its acts are its own in the changelog.
	k.do("POST", "/invitations", `{"email":"joan@example.com","role":"user"}`).expect(201)
	if log := ada.do("GET", "/changelog?limit=1", "").body; !strings.Contains(log, `"actor":{"id":"`+k.id+`","name":"k","type":"api_key"}`) {
		t.Errorf("the actor: %s", log)
	}
	if got := k.do("GET", "/workspaces", "").expect(200).body; strings.Count(got, `"slug"`) != 1 || strings.Contains(got, `"role"`) {
		t.Errorf("the workspaces of a key: %s", got)
	}
	k.do("GET", "/workspaces/research", "").expect(200)
}

// The old key goes on until the overlap ends, as if revoked then, and never
// past its expiry.
func TestOverlap(t *testing.T) {
	t.Parallel()
	var c clock
	s := newServer(t, embedded.Config{Now: c.now})
	ada := s.owner("ada@example.com", "research")
	old := ada.key(`{"name":"k","scopes":["*"],"expires_at":"` + c.now().Add(2*time.Hour).Format(time.RFC3339) + `"}`)
	r := ada.do("POST", "/api-keys/"+old.id+"/rotate", `{"overlap_seconds":3600}`).expect(201)
	next := &keyCaller{ada, r.text("id"), r.text("key")}
	old.do("GET", "/members", "").expect(200)
	old.do("POST", "/api-keys", all).fails(403, "forbidden") // a rotating key makes none
	old.do("POST", "/api-keys/"+next.id+"/rotate", `{}`).fails(403, "forbidden")
	ada.do("POST", "/api-keys/"+old.id+"/rotate", `{}`).fails(409, "invalid_state")
	c.forward(time.Hour - time.Microsecond)
	old.do("GET", "/members", "").expect(200)
	c.forward(time.Microsecond)
	old.do("GET", "/members", "").fails(401, "api_key_revoked")
	if list := ada.do("GET", "/api-keys?status=revoked", "").body; !strings.Contains(list, old.id) || strings.Contains(list, `"id":"`+next.id) {
		t.Errorf("revoked: %s", list)
	}
	next.do("GET", "/members", "").expect(200)
	r = ada.do("POST", "/api-keys/"+next.id+"/rotate", `{"overlap_seconds":604800}`).expect(201)
	if ends := ada.do("GET", "/api-keys/"+next.id, "").text("overlap_ends_at"); !strings.HasPrefix(ends, c.now().Add(time.Hour).Format("2006-01-02T15:04:05")) {
		t.Errorf("the overlap ends at %s, past the expiry", ends)
	}
	// Revoking the old one sooner leaves the new one alone.
	ada.do("DELETE", "/api-keys/"+next.id, "").expect(204)
	next.do("GET", "/members", "").fails(401, "api_key_revoked")
	(&keyCaller{ada, r.text("id"), r.text("key")}).do("GET", "/members", "").expect(200)
}

// A key is judged by what its target is, too: it cannot narrow, nor rename, one
// that is wider than itself.
func TestWiderKeysAreLeftAlone(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	wide := ada.key(all)
	narrow := ada.key(`{"name":"n","scopes":["api_keys:write"],"allowed_ips":["127.0.0.1"]}`)
	const within = `{"scopes":["api_keys:write"],"allowed_ips":["127.0.0.1"]}`
	narrow.do("PATCH", "/api-keys/"+wide.id, within).fails(403, "insufficient_scope")
	narrow.do("POST", "/api-keys/"+wide.id+"/rotate", `{}`).fails(403, "insufficient_scope")
	ada.do("PATCH", "/api-keys/"+wide.id, `{"scopes":["api_keys:write"]}`).expect(200)
	narrow.do("PATCH", "/api-keys/"+wide.id, within).fails(403, "forbidden") // from anywhere still
	ada.do("PATCH", "/api-keys/"+wide.id, within).expect(200)
	narrow.do("PATCH", "/api-keys/"+wide.id, `{"name":"renamed"}`).expect(200)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada, eve := s.owner("ada@example.com", "one"), s.owner("eve@example.com", "two")
	k := ada.key(`{"name":"k","scopes":["members:read"],"allowed_origins":["https://app.example.com"]}`)
	for body, want := range map[string]string{
		`{"key":"` + k.secret + `"}`:                                           `"valid":true`,
		`{"key":"` + k.secret + `","origin":"https://app.example.com"}`:        `"valid":true`,
		`{"key":"` + k.secret + `","origin":""}`:                               `"code":"origin_not_allowed"`,
		`{"key":"` + k.secret + `","scopes":["members:read","members:write"]}`: `"code":"insufficient_scope"`,
		`{"key":"pr_live_nobody"}`:                                             `"code":"invalid_api_key","api_key":null`,
	} {
		if r := ada.do("POST", "/api-keys/verify", body).expect(200); !strings.Contains(r.body, want) || strings.Contains(r.body, k.secret) {
			t.Errorf("%s: want %s", r.body, want)
		}
	}
	// In another workspace the key is as one that never was.
	if a, b := eve.do("POST", "/api-keys/verify", `{"key":"`+k.secret+`"}`), eve.do("POST", "/api-keys/verify", `{"key":"pr_live_nobody"}`); a.body != b.body {
		t.Errorf("%s, and for an unknown one %s", a.body, b.body)
	}
}

// Removing a member can take the keys that they made along, in the same change.
func TestRemovedMembersKeys(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	grace, joan := ada.member("grace@example.com", "admin"), ada.member("joan@example.com", "admin")
	mine, theirs := grace.key(all), joan.key(all)
	ada.do("DELETE", "/members/"+joan.do("GET", "/members/me", "").text("id"), "").expect(204)
	theirs.do("GET", "/members", "").expect(200) // removing ends nothing that the workspace owns
	ada.do("DELETE", "/members/"+grace.do("GET", "/members/me", "").text("id")+"?api_keys=revoke", "").expect(204)
	mine.do("GET", "/members", "").fails(401, "api_key_revoked")
	theirs.do("GET", "/members", "").expect(200)
	// A replay is judged anew.
	rename := func() *reply { return theirs.do("PATCH", "/workspaces/research", `{"name":"x"}`, idempotencyKey, "k") }
	rename().expect(200)
	if !rename().expect(200).replayed() {
		t.Error("not a replay")
	}
	ada.do("DELETE", "/api-keys/"+theirs.id, "").expect(204)
	rename().fails(401, "api_key_revoked")
}

// The use of a key is kept to the minute, without a write on every request.
func TestKeyLastUsed(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	k := ada.key(all)
	k.do("GET", "/members", "").expect(200)
	if used := ada.do("GET", "/api-keys/"+k.id, "").text("last_used_at"); !strings.HasSuffix(used, ":00.000000Z") {
		t.Errorf("last used at %s, want the minute", used)
	}
}

// However keys make, change and rotate keys, none can do, or from where, what
// the first of them could not.
func TestNoKeyMakesItselfWider(t *testing.T) {
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
				rt.Fatalf("%s: %d %s", r.what, r.status, r.body)
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
				rt.Fatalf("a key of the chain is wider than its first: %v %v %s", got.Scopes, got.AllowedIPs, got.ExpiresAt)
			}
		}
	})
}

// A list by expiry begins with the key that expires first, and one by use with
// the key that is unused the longest, also in pages.
func TestAPIKeysInTheOrderOfTheirFilter(t *testing.T) {
	t.Parallel()
	var clock clock
	ada := newServer(t, embedded.Config{Now: clock.now}).owner("ada@example.com", "research")
	create := func(expires string) *keyCaller {
		clock.forward(time.Second)
		return ada.key(`{"name":"k","scopes":["api_keys:read"],"expires_at":"` + expires + `"}`)
	}
	third, first, second := create("2026-12-03T00:00:00Z"), create("2026-12-01T00:00:00Z"), create("2026-12-02T00:00:00Z")
	for _, k := range []*keyCaller{second, third} { // first is never used
		clock.forward(time.Hour)
		k.do("GET", "/api-keys/current", "").expect(200)
	}
	for query, want := range map[string][]string{
		"expires_before=2027-01-01T00:00:00Z":                                   {first.id, second.id, third.id},
		"unused_since=2027-01-01T00:00:00Z":                                     {first.id, second.id, third.id},
		"unused_since=2027-01-01T00:00:00Z&expires_before=2026-12-03T00:00:00Z": {first.id, second.id},
		"": {second.id, first.id, third.id},
	} {
		var got []string
		for after := ""; ; {
			var page struct {
				Data []struct{ ID string }
				Meta struct {
					Next string `json:"next_cursor"`
				}
			}
			ada.do("GET", "/api-keys?limit=1&after="+after+"&"+query, "").expect(200).decode(&page)
			got = append(got, page.Data[0].ID)
			if after = page.Meta.Next; after == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %v, want %v", query, got, want)
		}
	}
}
