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

const planted = "pat_planted0planted0planted"

// No verb, logger, encoder or panic shows a secret, wherever it stands.
func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	secret := promptrails.NewSecret(planted)
	client := clientOver(t, &answers{script: []http.HandlerFunc{status(200, someUser)}}, promptrails.WithAccessToken(planted))
	holders := map[string]any{
		"a secret": secret, "a pointer": &secret, "a list": []promptrails.Secret{secret}, "a map": map[string]promptrails.Secret{"a": secret},
		"an unexported field": struct{ s promptrails.Secret }{secret}, "a field": struct{ S promptrails.Secret }{secret},
		"an invitation": &promptrails.Invitation{Token: secret}, "a client": client, "its service": client.Members,
	}
	verbs := "vTtbcdoOqxXUeEfFgGsp"
	for name, holder := range holders {
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
		for _, part := range []string{planted, "planted0planted", fmt.Sprintf("%x", planted), "706c616e746564"} {
			if strings.Contains(out.String(), part) {
				t.Errorf("%s shows %q", name, part)
			}
		}
	}
}

// The secret of a request does not show in what a server makes of it, nor in
// the log.
func TestSecretsDoNotComeBack(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &answers{script: []http.HandlerFunc{
		status(400, `{"error":{"code":"bad_request","message":"bad token `+planted+`","details":{"token":"`+planted+`"}}}`, "X-Request-Id", planted),
		status(200, `<html>`+planted, "Content-Type", "text/html"),
		status(200, `{"data":{"id":7,"x":"`+planted+`"}}`),
	}}
	c := clientOver(t, a, promptrails.WithLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	for range 3 {
		_, err := c.Invitations.Accept(t.Context(), promptrails.NewSecret(planted))
		if err == nil {
			t.Fatal("no error")
		}
		e, _ := errors.AsType[*promptrails.Error](err)
		fmt.Fprintf(&out, "%v %+v %s %s\n", err, e, e.Details, e.LogValue())
	}
	if strings.Contains(out.String(), planted) {
		t.Errorf("the secret came back:\n%s", out.String())
	}
	if a.seen[0].Header.Get("Authorization") != "Bearer "+token {
		t.Error("the request does not carry the token")
	}
}

func TestSecret(t *testing.T) {
	t.Parallel()
	s := promptrails.NewSecret("a")
	if s.Reveal() != "a" || s.IsZero() || !s.Equal(promptrails.NewSecret("a")) || s.Equal(promptrails.NewSecret("b")) || s.Equal(promptrails.Secret{}) {
		t.Error("a secret does not hold its text")
	}
	if !(promptrails.Secret{}).IsZero() || !promptrails.NewSecret("").IsZero() || (promptrails.Secret{}).String() != "" {
		t.Error("the zero secret holds something")
	}
	var back promptrails.Secret
	if err := json.Unmarshal([]byte(`"text"`), &back); err != nil || back.Reveal() != "text" {
		t.Errorf("unmarshalled: %v", err)
	}
	if err := json.Unmarshal([]byte(`"[redacted]"`), &back); err == nil {
		t.Error("[redacted] was taken for a secret")
	}
}
