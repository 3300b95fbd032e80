package embedded_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// Reseal moves all values to the new master key while the service runs. After
// that, the old key is not needed and cannot open any of them.
func TestReseal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "workspaces.db")
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	const credentials = 450 // more than two batches
	values := map[string]string{}
	var ada *person
	var opened string
	check := func(_ context.Context, _ *promptrails.Credential, value promptrails.Secret) (*promptrails.CredentialCheck, error) {
		opened = value.Reveal()
		return &promptrails.CredentialCheck{}, nil
	}
	invite := func(p *person) *reply {
		return p.do("POST", "/invitations", `{"email":"grace@example.com","role":"user"}`, idempotencyKey, "k").expect(201)
	}
	var token, channel string
	secrets := make([]string, 2)
	hook := newReceiver(t, nil)
	t.Run("before", func(t *testing.T) {
		ada = newServer(t, embedded.Config{DSN: file, MasterKey: first, AllowLoopbackWebhooks: true}).owner("ada@example.com", "research")
		token = invite(ada).text("token")
		channel, secrets[0] = ada.channel(hook.url)
		secrets[1] = ada.do("POST", "/notification-channels/"+channel+"/rotate-secret", "").expect(201).text("secret")
		for i := range credentials {
			value := fmt.Sprintf("sk-value-%d", i)
			values[ada.credential(value)] = value
		}
	})
	as := func(s *server) *person {
		p := *ada
		p.s = s
		return &p
	}
	t.Run("canceled, and then twice", func(t *testing.T) {
		s := newServer(t, embedded.Config{DSN: file, MasterKey: second, PreviousMasterKeys: [][]byte{first}, CheckCredential: check})
		canceled, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Reseal(canceled); err == nil {
			t.Error("Reseal with a canceled context: got no error, want one")
		}
		for range 2 {
			if err := s.Reseal(t.Context()); err != nil {
				t.Fatalf("Reseal: got %v, want no error", err)
			}
		}
		if r := invite(as(s)); r.text("token") != token || !r.replayed() {
			t.Errorf("retry after Reseal: got %s, want the stored response with the token %s", r.body, token)
		}
		// No value is left that the old key can open.
		if n := stale(t, file); n != 0 {
			t.Errorf("values sealed with another key than the proof: got %d, want none", n)
		}
	})
	if err := open(t, embedded.Config{DSN: file, MasterKey: first}); err == nil || !strings.Contains(err.Error(), "master key") {
		t.Errorf("Open with the old key only: got %v, want an error about the master key", err)
	}
	t.Run("after, with only the new key", func(t *testing.T) {
		s := newServer(t, embedded.Config{DSN: file, MasterKey: second, CheckCredential: check, AllowLoopbackWebhooks: true})
		as(s).do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
		request := hook.next()
		for _, secret := range secrets {
			request.event(t, secret)
		}
		as(s).do("POST", "/invitations", `{"email":"grace@example.com","role":"user"}`, idempotencyKey, "k").fails(409, "idempotency_key_reused")
		for id, value := range values {
			as(s).do("POST", "/credentials/"+id+"/check", "").expect(200)
			if opened != value {
				t.Fatalf("value of credential %s: got %q, want %q", id, opened, value)
			}
		}
	})
}

// stale returns the number of values sealed with another key than the proof of
// the master key.
func stale(t *testing.T, file string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	err = db.QueryRowContext(t.Context(), `WITH proof AS (SELECT substr(value, 1, 9) AS key FROM settings WHERE name = 'master_key')
		SELECT (SELECT count(*) FROM credentials, proof WHERE substr(value, 1, 9) <> key)
			+ (SELECT sum((substr(url, 1, 9) <> key) + (substr(secret, 1, 9) <> key) + (substr(previous_secret, 1, 9) <> key)) FROM notification_channels, proof)
			+ (SELECT count(*) FROM outcomes, proof WHERE secret = 1 AND substr(body, 1, 9) <> key)`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// If a value cannot be opened, the error of Reseal names it. The other values are
// moved, and the previous key is still required.
func TestResealNamesUnreadableValues(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	var ids []string
	t.Run("before", func(t *testing.T) {
		ada := newServer(t, embedded.Config{DSN: file, MasterKey: first}).owner("ada@example.com", "research")
		for range 3 {
			ids = append(ids, ada.credential("sk-value"))
		}
	})
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "UPDATE credentials SET value = (SELECT value FROM credentials WHERE id = ?) WHERE id = ?", ids[0], ids[1]); err != nil {
		t.Fatal(err)
	}
	t.Run("after", func(t *testing.T) {
		s := newServer(t, embedded.Config{DSN: file, MasterKey: second, PreviousMasterKeys: [][]byte{first}})
		err := s.Reseal(t.Context())
		if err == nil || !strings.Contains(err.Error(), ids[1]) || strings.Contains(err.Error(), ids[2]) {
			t.Errorf("Reseal: got %v, want an error that names %s and not %s", err, ids[1], ids[2])
		}
	})
	if err := open(t, embedded.Config{DSN: file, MasterKey: second}); err == nil {
		t.Error("Open without the previous key: got no error, want one because a value still needs it")
	}
}
