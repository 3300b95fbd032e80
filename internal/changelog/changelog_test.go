package changelog_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/promptrails-community/promptrails-go/internal/changelog"
)

// A test vector for the hash of an entry, which can be verified without this
// package.
func TestSeal(t *testing.T) {
	t.Parallel()
	e := &changelog.Entry{
		ID: "3MVOWo1xF7FAhBXJx8TdMd8GK1h", WorkspaceID: "2N8Dx8a2a1qUspBKbP02vqP29eH", Sequence: 1, Action: "updated",
		Resource: changelog.Ref{Type: "workspace", ID: "2N8Dx8a2a1qUspBKbP02vqP29eH", Name: `"id":"hash" ä <&>`},
		Actor:    changelog.Ref{Type: "user", ID: "u", Name: "Ada"},
		Changes:  changelog.Changes(`{"hash":{"from":null,"to":"x"},"name":{"from":"a","to":null}}`),
		IP:       "127.0.0.1", UserAgent: "test\u2028", RequestID: "r", OccurredAt: time.Date(2026, 1, 2, 3, 4, 5, 60000, time.UTC),
		PrevHash: changelog.Genesis("2N8Dx8a2a1qUspBKbP02vqP29eH"),
	}
	document, hash, err := changelog.Seal(e)
	if err != nil {
		t.Fatal(err)
	}
	const canonical = `{"action":"updated","actor":{"id":"u","name":"Ada","type":"user"},` +
		`"changes":{"hash":{"from":null,"to":"x"},"name":{"from":"a","to":null}},%s"id":"3MVOWo1xF7FAhBXJx8TdMd8GK1h","ip":"127.0.0.1",` +
		`"occurred_at":"2026-01-02T03:04:05.000060Z","prev_hash":"GENESIS",` +
		`"request_id":"r","resource":{"id":"2N8Dx8a2a1qUspBKbP02vqP29eH","name":"\"id\":\"hash\" ä <&>","type":"workspace"},` +
		`"sequence":1,"user_agent":"test` + "\u2028" + `","workspace_id":"2N8Dx8a2a1qUspBKbP02vqP29eH"}`
	sum := sha256.Sum256([]byte("2N8Dx8a2a1qUspBKbP02vqP29eH"))
	want := bytes.ReplaceAll([]byte(canonical), []byte("GENESIS"), []byte(hex.EncodeToString(sum[:])))
	sum = sha256.Sum256(fmt.Appendf(nil, string(want), ""))
	if hash != hex.EncodeToString(sum[:]) {
		t.Errorf("hash: got %s, want %s", hash, hex.EncodeToString(sum[:]))
	}
	if diff := cmp.Diff(fmt.Sprintf(string(want), `"hash":"`+hash+`",`), string(document)); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
}

func TestDiff(t *testing.T) {
	t.Parallel()
	got, err := changelog.Diff(map[string]any{"a": 1, "b": "x", "gone": true, "map": large(), "url": changelog.Secret{Mark: "1", Shown: "https://…"}},
		map[string]any{"a": 1, "b": "y", "new": nil, "map": large(), "url": changelog.Secret{Mark: "2", Shown: "https://…"}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"b":{"from":"x","to":"y"},"gone":{"from":true,"to":null},"url":{"from":"https://…","to":"https://…"}}`
	if string(got) != want {
		t.Errorf("Diff: got %s, want %s", got, want)
	}
	if got, err := changelog.Diff(map[string]any{"map": large()}, map[string]any{"map": large()}); got != nil || err != nil {
		t.Errorf("Diff of equal maps: got %s, %v, want nil", got, err)
	}
}

// large returns a map with enough entries that its order of iteration varies.
func large() map[string]bool {
	m := map[string]bool{}
	for i := range 20 {
		m[fmt.Sprint(i)] = true
	}
	return m
}
