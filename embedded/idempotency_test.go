package embedded_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/promptrails-community/promptrails-go/embedded"
)

const idempotencyKey = "Idempotency-Key"

// A request with a key that was used before is not executed again: its response
// is replayed.
func TestReplay(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		ada := newServer(t, cfg).owner("ada@example.com", "research")
		first := ada.do("PATCH", "/workspaces/"+ada.workspace, `{"name":"New"}`, idempotencyKey, "k").expect(200)
		again := ada.do("PATCH", "/workspaces/"+ada.workspace, `{"name":"New"}`, idempotencyKey, "k").expect(200)
		if first.replayed() || !again.replayed() || first.body != again.body || first.header.Get("ETag") != again.header.Get("ETag") {
			t.Errorf("two PATCH with one key: got %s (replayed: %t), then %s (replayed: %t), want the second to replay the first", first.body, first.replayed(), again.body, again.replayed())
		}
		ada.do("PATCH", "/workspaces/"+ada.workspace, `{"name":"Newer"}`, idempotencyKey, "k").fails(409, "idempotency_key_reused")
		ada.do("PATCH", "/workspaces/research", `{"name":"New"}`, idempotencyKey, "k").expect(200)
		ada.do("DELETE", "/workspaces/"+ada.workspace+"?confirm_slug=other", "", idempotencyKey, "k").fails(409, "idempotency_key_reused")

		// The response of a rejected request is not stored.
		ada.do("POST", "/invitations", `{"email":"nobody","role":"user"}`, idempotencyKey, "r").fails(400, "validation_error")
		ada.do("POST", "/invitations", `{"email":"grace@example.com","role":"user"}`, idempotencyKey, "r").expect(201)

		// A DELETE is replayed, too.
		grace := ada.member("joan@example.com", "user")
		id := grace.do("GET", "/members/me", "").text("id")
		ada.do("DELETE", "/members/"+id, "", idempotencyKey, "d").expect(204)
		if again := ada.do("DELETE", "/members/"+id, "", idempotencyKey, "d").expect(204); !again.replayed() {
			t.Errorf("second DELETE with one key: got %d, not replayed, want a replay", again.status)
		}
		ada.do("DELETE", "/members/"+id, "", idempotencyKey, "other").fails(404, "not_found")
		if fields := ada.do("DELETE", "/members/"+id, "", idempotencyKey, "a b").fails(400, "validation_error"); fields["Idempotency-Key"] == "" {
			t.Errorf("key with a space: got errors of the fields %v, want one of Idempotency-Key", fields)
		}
	})
}

// Of two concurrent requests with one key, one is executed and the other fails.
func TestConcurrentRequestsWithOneKey(t *testing.T) {
	oneProcess(t, "a request waits for one with the same key in another process")
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	ada := newServer(t, embedded.Config{DSN: file}).owner("ada@example.com", "research")
	release := lock(t, file) // so that neither can finish
	replies := make(chan *reply, 2)
	var callers sync.WaitGroup
	for range 2 {
		callers.Go(func() {
			replies <- ada.do("PATCH", "/workspaces/research", `{"name":"New"}`, idempotencyKey, "k")
		})
	}
	refused := <-replies
	refused.fails(409, "idempotency_in_progress")
	if refused.header.Get("Retry-After") == "" {
		t.Errorf("concurrent request: got headers %v, want Retry-After", refused.header)
	}
	release()
	callers.Wait()
	(<-replies).expect(200)
	if r := ada.do("PATCH", "/workspaces/research", `{"name":"New"}`, idempotencyKey, "k").expect(200); !r.replayed() {
		t.Errorf("request after both: got %s, not replayed, want a replay", r.body)
	}
}

// Keys of different callers or workspaces are independent.
func TestIdempotencyKeyScope(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada, eve := s.owner("ada@example.com", "one"), s.owner("eve@example.com", "two")
	body := `{"email":"grace@example.com","role":"user"}`
	mine := ada.do("POST", "/invitations", body, idempotencyKey, "k").expect(201)
	theirs := eve.do("POST", "/invitations", body, idempotencyKey, "k").expect(201)
	if theirs.replayed() || mine.text("id") == theirs.text("id") {
		t.Errorf("key of another caller: got %s (replayed: %t), want a new invitation", theirs.body, theirs.replayed())
	}
	second := ada.do("POST", "/workspaces", `{"name":"W","slug":"three"}`).expect(201).text("id")
	if r := ada.in(second).do("POST", "/invitations", body, idempotencyKey, "k").expect(201); r.replayed() {
		t.Errorf("key of another workspace: got the replay %s, want a new invitation", r.body)
	}
}

// A replay checks the caller's permissions again.
func TestReplayChecksPermissions(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	grace := ada.member("grace@example.com", "admin")
	id := grace.do("GET", "/members/me", "").text("id")
	invite := func() *reply {
		return grace.do("POST", "/invitations", `{"email":"joan@example.com","role":"user"}`, idempotencyKey, "k")
	}
	invite().expect(201)
	ada.do("PATCH", "/members/"+id, `{"role":"user"}`).expect(200)
	invite().fails(403, "insufficient_role")
	ada.do("DELETE", "/members/"+id, "").expect(204)
	invite().fails(404, "not_found")
	tokens, err := s.AccessTokens(t.Context(), grace.user.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		if err := s.RevokeAccessToken(t.Context(), token.ID); err != nil {
			t.Fatal(err)
		}
	}
	invite().fails(401, "unauthorized")
}

// A request that revokes the caller's own permission is still replayed to them.
func TestReplayOfOwnRemoval(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	grace, joan := ada.member("grace@example.com", "user"), ada.member("joan@example.com", "user")
	joansID, gracesID := joan.do("GET", "/members/me", "").text("id"), grace.do("GET", "/members/me", "").text("id")
	for range 2 {
		grace.do("DELETE", "/members/me", "", idempotencyKey, "leave").expect(204)
	}
	grace.do("DELETE", "/members/"+gracesID, "", idempotencyKey, "other").fails(404, "not_found")
	var responses []string
	for range 2 {
		responses = append(responses, ada.do("POST", "/workspaces/research/transfer", `{"member_id":"`+joansID+`"}`, idempotencyKey, "transfer").expect(200).body)
	}
	if responses[0] != responses[1] {
		t.Errorf("replay of a transfer: got %s, want %s", responses[1], responses[0])
	}
	for range 2 {
		joan.do("DELETE", "/workspaces/"+joan.workspace+"?confirm_slug=research", "", idempotencyKey, "delete").expect(204)
	}
	joan.do("GET", "/workspaces/"+joan.workspace, "").fails(404, "not_found")
}

// A response with a token is stored for ten minutes, others for a day.
func TestReplayExpiry(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		var c clock
		cfg.Now = c.now
		ada := newServer(t, cfg).owner("ada@example.com", "research")
		invite := func() *reply {
			return ada.do("POST", "/invitations", `{"email":"grace@example.com","role":"user"}`, idempotencyKey, "i")
		}
		rename := func() *reply {
			return ada.do("PATCH", "/workspaces/research", `{"name":"New"}`, idempotencyKey, "r")
		}
		token := invite().expect(201).text("token")
		rename().expect(200)
		c.forward(10*time.Minute - time.Second)
		if again := invite().expect(201).text("token"); again != token {
			t.Errorf("token of a replay within ten minutes: got %s, want %s", again, token)
		}
		c.forward(time.Second)
		invite().fails(409, "idempotency_answer_gone")
		c.forward(24*time.Hour - 10*time.Minute - time.Second)
		if !rename().expect(200).replayed() {
			t.Error("PATCH within a day: got a new response, want a replay")
		}
		c.forward(time.Second)
		if rename().expect(200).replayed() {
			t.Error("PATCH after a day: got a replay, want a new response")
		}
	})
}

// Responses are still replayed after a change of the master key, if the previous
// one is given.
func TestReplayAfterMasterKeyChange(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/workspaces.db"
	first, second := make([]byte, 32), make([]byte, 32)
	second[0] = 1
	var before string
	var ada *person
	invite := func(s *server) *reply {
		p := *ada
		p.s = s
		return p.do("POST", "/invitations", `{"email":"grace@example.com","role":"user"}`, idempotencyKey, "i")
	}
	t.Run("first key", func(t *testing.T) {
		s := newServer(t, embedded.Config{DSN: file, MasterKey: first})
		ada = s.owner("ada@example.com", "research")
		before = invite(s).expect(201).text("token")
	})
	t.Run("second key", func(t *testing.T) {
		s := newServer(t, embedded.Config{DSN: file, MasterKey: second, PreviousMasterKeys: [][]byte{first}})
		if after := invite(s).expect(201); !after.replayed() || after.text("token") != before {
			t.Errorf("invitation: got %s (replayed: %t), want a replay with the token %s", after.body, after.replayed(), before)
		}
	})
}
