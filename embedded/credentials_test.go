package embedded_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

const plantedValue = "sk-planted0planted0planted"

// credential creates a credential with the given value, and returns its id.
func (p *person) credential(value string) string {
	p.s.t.Helper()
	return p.do("POST", "/credentials", `{"name":"n","type":"openai","value":"`+value+`"}`).expect(201).text("id")
}

// The value of a credential is not in responses, logs, the changelog or, in
// plaintext, in files.
func TestCredentialValueIsNotDisclosed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var log bytes.Buffer
	s := newServer(t, embedded.Config{
		DSN: filepath.Join(dir, "workspaces.db"), Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		CheckCredential: func(context.Context, *promptrails.Credential, promptrails.Secret) (*promptrails.CredentialCheck, error) {
			return nil, errors.New("the provider is down")
		},
	})
	ada := s.owner("ada@example.com", "research")
	id := ada.credential(plantedValue)
	var seen strings.Builder
	for _, r := range []*reply{
		ada.do("GET", "/credentials/"+id, ""), ada.do("GET", "/credentials", ""), ada.do("GET", "/changelog", ""),
		ada.do("PATCH", "/credentials/"+id, `{"value":"`+plantedValue+`2"}`), ada.do("POST", "/credentials/"+id+"/check", ""),
		ada.do("POST", "/credentials", `{"name":"n","type":"openai","value":"`+plantedValue+`","unknown":1}`),
		ada.do("POST", "/credentials", `{"name":7,"value":"`+plantedValue+`"}`),
	} {
		seen.WriteString(r.body)
	}
	seen.WriteString(log.String())
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		seen.Write(read(t, file))
	}
	if strings.Contains(seen.String(), plantedValue) {
		t.Errorf("responses, logs and files: got the value %s in them, want it in none", plantedValue)
	}
	if !strings.Contains(log.String(), "the provider is down") {
		t.Errorf("log: got %s, want the error of Config.CheckCredential", log.String())
	}
}

// An encrypted value that is copied into another row cannot be decrypted there.
func TestCopiedValueIsNotDecrypted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	var decrypted string
	s := newServer(t, embedded.Config{DSN: file, CheckCredential: func(_ context.Context, _ *promptrails.Credential, value promptrails.Secret) (*promptrails.CredentialCheck, error) {
		decrypted = value.Reveal()
		return &promptrails.CredentialCheck{IsValid: new(true), Reason: "tried"}, nil
	}})
	ada, eve := s.owner("ada@example.com", "one"), s.owner("eve@example.com", "two")
	theirs, mine := ada.credential(plantedValue), eve.credential("sk-other")
	if r := ada.do("POST", "/credentials/"+theirs+"/check", "").expect(200); decrypted != plantedValue || r.text("reason") != "tried" {
		t.Errorf("check: got the value %q and %s, want %q and the reason tried", decrypted, r.body, plantedValue)
	}
	ada.do("GET", "/credentials/"+theirs, "").expect(200)
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(t.Context(), "UPDATE credentials SET value = (SELECT value FROM credentials WHERE id = ?) WHERE id = ?", theirs, mine); err != nil {
		t.Fatal(err)
	}
	eve.do("POST", "/credentials/"+mine+"/check", "").fails(500, "internal_error")
	if decrypted != plantedValue {
		t.Errorf("check of a copied value: got a call with %q, want none", decrypted)
	}
}

// The fields of a credential are validated, and have aliases.
func TestCredentialFields(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{})
	ada := s.owner("ada@example.com", "research")
	grace := ada.member("grace@example.com", "user")
	// provider and api_key are the names that older clients use.
	r := ada.do("POST", "/credentials", `{"name":"n","provider":"postgresql","api_key":"postgres://h/d"}`).expect(201)
	if r.text("type") != "postgresql" || r.text("category") != "data_warehouse" {
		t.Errorf("credential: got %s, want the type postgresql and the category data_warehouse", r.body)
	}
	id := r.text("id")
	ada.do("PATCH", "/credentials/"+id, `{"api_key":"postgres://h/e"}`).expect(200)
	if r := ada.do("POST", "/credentials", `{"name":"n","type":"my_own","value":"v"}`).expect(201); r.text("type") != "my_own" || r.text("category") != "" {
		t.Errorf("credential of an unknown type: got %s, want the type my_own and no category", r.body)
	}
	for _, tt := range []struct{ name, field, body string }{
		{"redacted value", "value", `{"name":"n","type":"openai","value":"[redacted]"}`},
		{"empty value", "value", `{"name":"n","type":"openai","value":""}`},
		{"type and provider", "provider", `{"name":"n","type":"openai","provider":"groq","value":"v"}`},
		{"value and api_key", "api_key", `{"name":"n","type":"openai","value":"v","api_key":"w"}`},
		{"read-only field", "masked_content", `{"name":"n","type":"openai","value":"v","masked_content":"x"}`},
		{"NUL in value", "value", `{"name":"n","type":"openai","value":"a\u0000b"}`},
		{"default is a string", "is_default", `{"name":"n","type":"openai","value":"v","is_default":"yes"}`},
		{"large value", "value", `{"name":"n","value":"` + strings.Repeat("x", 65537) + `","type":"o"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if fields := ada.with(t).do("POST", "/credentials", tt.body).fails(400, "validation_error"); fields[tt.field] == "" {
				t.Errorf("%.80s: got errors of the fields %v, want one of %s", tt.body, fields, tt.field)
			}
		})
	}
	if fields := ada.do("PATCH", "/credentials/"+id, `{"type":"mysql"}`).fails(400, "validation_error"); fields["type"] == "" {
		t.Errorf("change of the type: got errors of the fields %v, want one of type", fields)
	}
	// Setting the current value is not a change.
	if got := ada.do("PATCH", "/credentials/"+id, `{"value":"postgres://h/e"}`).expect(200).header.Get("ETag"); got != `"2"` {
		t.Errorf("ETag after the current value was set: got %s, want \"2\"", got)
	}
	grace.do("GET", "/credentials/"+id, "").expect(200)
	grace.do("PATCH", "/credentials/"+id, `{}`).fails(403, "insufficient_role")
	ada.do("POST", "/credentials/"+id+"/set-default", "").expect(200)
	ada.do("PATCH", "/credentials/"+id, `{"is_default":false}`).expect(200)
	ada.do("DELETE", "/credentials/"+id+"?force=maybe", "").fails(400, "validation_error")
	ada.do("DELETE", "/credentials/"+id, "").expect(204)
}

// The usage of a credential lists the objects that refer to it.
func TestCredentialUsage(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{}).owner("ada@example.com", "research")
	credential := ada.credential("sk-value")
	if r := ada.do("GET", "/credentials/"+credential+"/usage", "").expect(200); r.body != `{"data":[]}` {
		t.Errorf("usage of an unused credential: got %s, want an empty list", r.body)
	}
	agent := ada.do("POST", "/agents", `{"name":"Scout","config":{"credential_id":"`+credential+`"}}`).expect(201).text("id")
	want := `{"data":[{"type":"agent","id":"` + agent + `","name":"Scout"}]}`
	if r := ada.do("GET", "/credentials/"+credential+"/usage", "").expect(200); r.body != want {
		t.Errorf("usage of an agent's credential: got %s, want %s", r.body, want)
	}
	ada.do("GET", "/credentials/nothing/usage", "").fails(404, "not_found")
}
