package promptrails_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// testSecret is the secret that must not appear in any output.
const testSecret = "pat_secret0secret0secret"

// No verb, logger, encoder or panic prints a secret, at any depth of a value.
func TestSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	secret := promptrails.NewSecret(testSecret)
	client := clientOver(t, &scripted{script: []http.HandlerFunc{status(200, someUser)}}, promptrails.WithAccessToken(testSecret))
	holders := map[string]any{
		"a secret": secret, "a pointer": &secret, "a slice": []promptrails.Secret{secret}, "a map": map[string]promptrails.Secret{"a": secret},
		"an unexported field": struct{ s promptrails.Secret }{secret}, "a field": struct{ S promptrails.Secret }{secret},
		"an invitation": &promptrails.Invitation{Token: secret}, "a client": client, "a service": client.Members,
	}
	verbs := "vTtbcdoOqxXUeEfFgGsp"
	for name, holder := range holders {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			for _, verb := range verbs {
				for _, flag := range []string{"", "+", "#", "-20.3", " ", "0"} {
					fmt.Fprintf(&out, "%"+flag+string(verb)+"\n", holder)
				}
			}
			fmt.Fprintln(&out, holder)
			log.New(&out, "", 0).Println(holder)
			slog.New(slog.NewTextHandler(&out, nil)).Info("text", "holder", holder)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "holder", holder)
			for _, encode := range []func() ([]byte, error){
				func() ([]byte, error) { return json.Marshal(holder) },
				func() ([]byte, error) { return jsonv2.Marshal(holder) },
				func() ([]byte, error) { return xml.Marshal(holder) },
				func() ([]byte, error) {
					var b bytes.Buffer
					err := gob.NewEncoder(&b).Encode(holder)
					return b.Bytes(), err
				},
			} {
				text, err := encode()
				out.Write(text)
				if err != nil {
					out.WriteString(err.Error())
				}
			}
			func() {
				defer func() { fmt.Fprintln(&out, recover(), string(debug.Stack())) }()
				panic(fmt.Sprint(holder))
			}()
			for _, part := range []string{testSecret, "secret0secret", fmt.Sprintf("%x", testSecret), "73656372657430"} {
				if strings.Contains(out.String(), part) {
					t.Errorf("output: got %q in it, want no part of the secret", part)
				}
			}
		})
	}
}

// If a response repeats the secret of its request, errors and logs do not contain
// it.
func TestRepeatedSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &scripted{script: []http.HandlerFunc{
		status(400, `{"error":{"code":"bad_request","message":"bad token `+testSecret+`","details":{"token":"`+testSecret+`"}}}`, "X-Request-Id", testSecret),
		status(200, `<html>`+testSecret, "Content-Type", "text/html"),
		status(200, `{"data":{"id":7,"x":"`+testSecret+`"}}`),
	}}
	c := clientOver(t, a, promptrails.WithLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	for range 3 {
		_, err := c.Invitations.Accept(t.Context(), promptrails.NewSecret(testSecret))
		if err == nil {
			t.Fatal("Invitations.Accept: got no error, want one")
		}
		e, _ := errors.AsType[*promptrails.Error](err)
		fmt.Fprintf(&out, "%v %+v %s %s\n", err, e, e.Details, e.LogValue())
	}
	if strings.Contains(out.String(), testSecret) {
		t.Errorf("errors and logs: got the secret in them, want it redacted:\n%s", out.String())
	}
	if got, want := a.seen[0].Header.Get("Authorization"), "Bearer "+token; got != want {
		t.Errorf("Authorization: got %q, want %q", got, want)
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	s := promptrails.NewSecret("a")
	if s.Reveal() != "a" || s.IsZero() || !s.Equal(promptrails.NewSecret("a")) || s.Equal(promptrails.NewSecret("b")) || s.Equal(promptrails.Secret{}) {
		t.Errorf("Secret of a: got %q (IsZero %t), want a, equal only to the same secret", s.Reveal(), s.IsZero())
	}
	if !(promptrails.Secret{}).IsZero() || !promptrails.NewSecret("").IsZero() || (promptrails.Secret{}).String() != "" {
		t.Error("zero Secret: got IsZero false or a text, want IsZero true and an empty String")
	}
	var decoded promptrails.Secret
	if err := json.Unmarshal([]byte(`"text"`), &decoded); err != nil || decoded.Reveal() != "text" {
		t.Errorf("Unmarshal: got %q and error %v, want text", decoded.Reveal(), err)
	}
	if err := json.Unmarshal([]byte(`"[redacted]"`), &decoded); err == nil {
		t.Error("Unmarshal of [redacted]: got no error, want one")
	}
}
