package embedded_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/promptrails-community/promptrails-go/embedded"
)

const idempotencyKey = "Idempotency-Key"

func TestRepeatedOnce(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		ada := newServer(t, cfg).owner("ada@example.com", "research")
		first := ada.do("PATCH", "/workspaces/"+ada.workspace, `{"name":"New"}`, idempotencyKey, "k").expect(200)
		again := ada.do("PATCH", "/workspaces/"+ada.workspace, `{"name":"New"}`, idempotencyKey, "k").expect(200)
		if first.replayed() || !again.replayed() || first.body != again.body || first.header.Get("ETag") != again.header.Get("ETag") {
			t.Errorf("replayed %t %s, then %t %s", first.replayed(), first.body, again.replayed(), again.body)
		}
		ada.do("PATCH", "/workspaces/"+ada.workspace, `{"name":"Newer"}`, idempotencyKey, "k").fails(409, "idempotency_key_reused")
		ada.do("PATCH", "/workspaces/research", `{"name":"New"}`, idempotencyKey, "k").expect(200)
		ada.do("DELETE", "/workspaces/"+ada.workspace+"?confirm_slug=other", "", idempotencyKey, "k").fails(409, "idempotency_key_reused")

		// A refusal is not kept: the same call may succeed later.
		ada.do("POST", "/invitations", `{"email":"nobody","role":"user"}`, idempotencyKey, "r").fails(400, "validation_error")
		ada.do("POST", "/invitations", `{"email":"grace@example.com","role":"user"}`, idempotencyKey, "r").expect(201)

		// A delete is done once too.
		grace := ada.member("joan@example.com", "user")
		id := grace.do("GET", "/members/me", "").text("id")
		ada.do("DELETE", "/members/"+id, "", idempotencyKey, "d").expect(204)
		if again := ada.do("DELETE", "/members/"+id, "", idempotencyKey, "d").expect(204); !again.replayed() {
			t.Error("the second DELETE was not a replay")
		}
		ada.do("DELETE", "/members/"+id, "", idempotencyKey, "other").fails(404, "not_found")
		if fields := ada.do("DELETE", "/members/"+id, "", idempotencyKey, "a b").fails(400, "validation_error"); fields["Idempotency-Key"] == "" {
			t.Errorf("a key with a space: %v", fields)
		}
	})
}

// Of two requests with one key at once, one runs and the other is told so.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	ada := newServer(t, embedded.Config{DSN: file}).owner("ada@example.com", "research")
	release := lock(t, file) // neither can finish
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
		t.Error("no Retry-After")
	}
	release()
	callers.Wait()
	(<-replies).expect(200)
	if r := ada.do("PATCH", "/workspaces/research", `{"name":"New"}`, idempotencyKey, "k").expect(200); !r.replayed() {
		t.Error("the key was free again, but its outcome is lost")
	}
}

// Another caller or workspace never meets a key.
func TestIdempotencyKeysAreTheCallers(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada, eve := s.owner("ada@example.com", "one"), s.owner("eve@example.com", "two")
	body := `{"email":"grace@example.com","role":"user"}`
	mine := ada.do("POST", "/invitations", body, idempotencyKey, "k").expect(201)
	theirs := eve.do("POST", "/invitations", body, idempotencyKey, "k").expect(201)
	if theirs.replayed() || mine.text("id") == theirs.text("id") {
		t.Errorf("another caller met the key: %s", theirs.body)
	}
	second := ada.do("POST", "/workspaces", `{"name":"W","slug":"three"}`).expect(201).text("id")
	if r := ada.in(second).do("POST", "/invitations", body, idempotencyKey, "k").expect(201); r.replayed() {
		t.Error("the same key in another workspace was a replay")
	}
}

// The caller's right is judged anew before anything is repeated.
func TestReplayIsJudgedAnew(t *testing.T) {
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

// What ends the caller's own right is repeated to them all the same.
func TestRepeatWhatEndsTheRight(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	grace, joan := ada.member("grace@example.com", "user"), ada.member("joan@example.com", "user")
	joansID, gracesID := joan.do("GET", "/members/me", "").text("id"), grace.do("GET", "/members/me", "").text("id")
	for range 2 {
		grace.do("DELETE", "/members/me", "", idempotencyKey, "leave").expect(204)
	}
	grace.do("DELETE", "/members/"+gracesID, "", idempotencyKey, "other").fails(404, "not_found")
	var answers []string
	for range 2 {
		answers = append(answers, ada.do("POST", "/workspaces/research/transfer", `{"member_id":"`+joansID+`"}`, idempotencyKey, "transfer").expect(200).body)
	}
	if answers[0] != answers[1] {
		t.Errorf("transfer: %v", answers)
	}
	for range 2 {
		joan.do("DELETE", "/workspaces/"+joan.workspace+"?confirm_slug=research", "", idempotencyKey, "delete").expect(204)
	}
	joan.do("GET", "/workspaces/"+joan.workspace, "").fails(404, "not_found")
}

// An answer that carries a token is kept for ten minutes, any other for a day.
func TestOutcomesEnd(t *testing.T) {
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
			t.Errorf("within ten minutes: %s, want %s", again, token)
		}
		c.forward(time.Second)
		invite().fails(409, "idempotency_answer_gone")
		c.forward(24*time.Hour - 10*time.Minute - time.Second)
		if !rename().expect(200).replayed() {
			t.Error("within a day it was done again")
		}
		c.forward(time.Second)
		if rename().expect(200).replayed() {
			t.Error("after a day it was repeated")
		}
	})
}

// A new master key among old ones breaks no replay.
func TestReplayAfterAChangeOfMasterKey(t *testing.T) {
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
	t.Run("before", func(t *testing.T) {
		s := newServer(t, embedded.Config{DSN: file, MasterKey: first})
		ada = s.owner("ada@example.com", "research")
		before = invite(s).expect(201).text("token")
	})
	t.Run("after", func(t *testing.T) {
		s := newServer(t, embedded.Config{DSN: file, MasterKey: second, PreviousMasterKeys: [][]byte{first}})
		if after := invite(s).expect(201); !after.replayed() || after.text("token") != before {
			t.Errorf("%s, want %s again", after.body, before)
		}
	})
}
