package embedded_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// A member's keys can be revoked when the member leaves or is demoted.
func TestRevokeKeysOfMember(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanPro})
	ada := s.owner("ada@example.com", "research")
	for _, tt := range []struct {
		name   string
		revoke func(ada, member *person, id string) *reply
		status int
	}{
		{"leave", func(_, member *person, _ string) *reply {
			return member.do("DELETE", "/members/me?api_keys=revoke", "")
		}, http.StatusNoContent},
		{"demotion", func(ada, _ *person, id string) *reply {
			return ada.do("PATCH", "/members/"+id+"?api_keys=revoke", `{"role":"user"}`)
		}, http.StatusOK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ada := ada.with(t)
			member := ada.member(tt.name+"@example.com", "admin")
			key := member.key(all)
			tt.revoke(ada, member, member.do("GET", "/members/me", "").text("id")).expect(tt.status)
			key.do("GET", "/members", "").fails(401, "api_key_revoked")
		})
	}
}

// An expiry in the year 1 is in the past. Duplicate scopes are removed.
func TestKeyNormalization(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	const yearOne = `"expires_at":"0001-01-01T00:00:00Z"`
	ada.do("POST", "/api-keys", `{"name":"k","scopes":["agents:read"],`+yearOne+`}`).fails(400, "validation_error")
	key := ada.do("POST", "/api-keys", `{"name":"k","scopes":["agents:read","prompts:read","agents:read"],"expires_at":"2099-01-01T00:00:00Z"}`).expect(201)
	if want := `"scopes":["agents:read","prompts:read"]`; !strings.Contains(key.body, want) {
		t.Errorf("key with duplicate scopes: got %s, want %s", key.body, want)
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

// A key can revoke itself, and keys that do not exceed its own permissions.
func TestKeysRevokeWithinPermissions(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	wide, narrow := ada.key(all), ada.key(`{"name":"n","scopes":["api_keys:write","api_keys:read"]}`)
	narrow.do("DELETE", "/api-keys/"+wide.id, "").fails(403, "insufficient_scope")
	wide.do("GET", "/members", "").expect(200)
	successor := ada.do("POST", "/api-keys/"+wide.id+"/rotate", `{"overlap_seconds":600}`).expect(201)
	wide.do("DELETE", "/api-keys/"+successor.text("id"), "").fails(403, "forbidden")
	wide.do("DELETE", "/api-keys/"+wide.id, "").expect(204)
	narrow.do("DELETE", "/api-keys/"+narrow.id, "").expect(204)
	// The error names the revoked key.
	if r := narrow.do("GET", "/members", ""); r.status != 401 || !strings.Contains(r.body, `"api_key_id":"`+narrow.id+`"`) {
		t.Errorf("request with a revoked key: got %d %s, want 401 with api_key_id %s", r.status, r.body, narrow.id)
	}
}

// Verify records a use of a valid key, with the address it was given.
func TestVerifyRecordsUse(t *testing.T) {
	oneProcess(t, "a process stores uses of keys after a minute")
	t.Parallel()
	var clock clock
	s := newServer(t, embedded.Config{Now: clock.now})
	ada := s.owner("ada@example.com", "research")
	used, unused := ada.key(all), ada.key(`{"name":"n","scopes":["agents:read"]}`)
	clock.forward(time.Hour)
	ada.do("POST", "/api-keys/verify", `{"key":"`+used.secret+`","ip":"203.0.113.9"}`).expect(200)
	ada.do("POST", "/api-keys/verify", `{"key":"`+unused.secret+`","scopes":["members:read"]}`).expect(200) // not valid, so not a use
	if k := ada.do("GET", "/api-keys/"+used.id, ""); k.text("last_used_ip") != "203.0.113.9" || k.text("last_used_at") == "" {
		t.Errorf("key after verify: got %s, want last_used_ip 203.0.113.9 and last_used_at", k.body)
	}
	me := ada.do("GET", "/members/me", "").text("id")
	if k := ada.do("GET", "/api-keys/"+used.id, ""); k.text("created_by_member") != me {
		t.Errorf("key: got %s, want created_by_member %s", k.body, me)
	}
	since := clock.now().Add(-time.Minute).Format(time.RFC3339)
	if list := ada.do("GET", "/api-keys?unused_since="+since, "").expect(200).body; strings.Contains(list, used.id) || !strings.Contains(list, unused.id) {
		t.Errorf("keys unused since %s: got %s, want %s and not %s", since, list, unused.id, used.id)
	}
	soon := ada.do("POST", "/api-keys", `{"name":"k","scopes":["agents:read"],"expires_at":"2026-02-01T00:00:00Z"}`).expect(201).text("id")
	if list := ada.do("GET", "/api-keys?expires_before=2026-03-01T00:00:00Z", "").expect(200).body; !strings.Contains(list, soon) || strings.Contains(list, used.id) {
		t.Errorf("keys that expire before March: got %s, want %s and not %s", list, soon, used.id)
	}
}

// A key that is revoked while the body of its request is read is refused.
func TestRevocationDuringUpload(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	made := ada.do("POST", "/api-keys", `{"name":"k","scopes":["agents:write"]}`).expect(201)
	var revoke sync.Once
	upload := readerFunc(func(p []byte) (int, error) {
		revoke.Do(func() { ada.do("DELETE", "/api-keys/"+made.text("id"), "").expect(204) })
		return copy(p, `{"name":"a"}`), io.EOF
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/agents", upload)
	r.Header.Set("X-API-Key", made.text("key"))
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "api_key_revoked") {
		t.Errorf("POST with a key that was revoked during the upload: got %d %s, want 401 api_key_revoked", w.Code, w.Body)
	}
	if ids, _ := ada.do("GET", "/agents", "").listed(); len(ids) != 0 {
		t.Errorf("agents: got %d, want none", len(ids))
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
