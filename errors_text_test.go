package promptrails_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// An error includes the message of a gateway's JSON response.
func TestGatewayErrors(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"detail":"CSRF failed"}`:                                            "403: CSRF failed",
		`{"errors":[{"message":"bad name"},{"detail":"bad slug"}]}`:           "403: bad name: bad slug",
		`{"errors":["one","two"]}`:                                            "403: one: two",
		`{"Message":"User is not authorized"}`:                                "403: User is not authorized",
		`{"type":"about:blank","title":"Forbidden by WAF","detail":"rule 7"}`: "403: Forbidden by WAF: rule 7",
		`{"error":"invalid_grant","error_description":"the code is old"}`:     "403: invalid_grant: the code is old",
		`{"message":{"text":"odd"},"detail":"kept"}`:                          `kept`,
		`{"reason":"unknown to us"}`:                                          `403: Forbidden: {"reason":"unknown to us"}`,
		`{"error":{"code":7,"message":"a number for a code"}}`:                "403: a number for a code",
		`{"error":{"message":"an object for details","details":"text"}}`:      "403: an object for details",
	} {
		t.Run(want, func(t *testing.T) {
			_, err := clientOver(t, &scripted{script: []http.HandlerFunc{status(403, body)}}).Me(t.Context())
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Me with 403 and %s: got %v, want %q in it", body, err, want)
			}
		})
	}
	if _, err := clientOver(t, &scripted{script: []http.HandlerFunc{status(304, "")}}).Me(t.Context(), promptrails.WithHeader("If-None-Match", `"1"`)); err == nil || !strings.Contains(err.Error(), "304: not modified") || strings.Contains(err.Error(), "redirect") {
		t.Errorf("Me with 304: got %v, want \"304: not modified\" in it", err)
	}
}

// An error does not contain a secret of the request, however a server or a proxy
// encodes it.
func TestEchoedSecrets(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]string{
		"PEM": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n", "DSN": "postgres://app:S3cr3tPass@db:5432/x?sslmode=require&pool=1", "quoted": `pa"ss\word1`,
	} {
		inJSON := func(message, field string) string {
			type m = map[string]any
			b, err := json.Marshal(m{"error": m{"code": "validation_error", "message": message, "details": m{"fields": m{"value": field}}}})
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		for form, body := range map[string]string{
			"message": inJSON("not a value: "+secret, ""), "field": inJSON("no", "cannot use "+secret), "HTML": "<html>bad: " + secret, "truncated message": inJSON(strings.Repeat("x", 505)+secret, ""),
			"request body": "<html>" + fmt.Sprintf(`{"name":"x","value":%q}`, secret),
		} {
			for _, code := range []int{400, 500, 200} {
				_, err := clientOver(t, &scripted{script: []http.HandlerFunc{status(code, body)}}, promptrails.WithMaxRetries(0)).Credentials.Create(t.Context(), &promptrails.CreateCredentialParams{Name: "x", Type: "t", Value: promptrails.NewSecret(secret)})
				text := fmt.Sprintf("%v %+v", err, err)
				if e, ok := errors.AsType[*promptrails.Error](err); ok {
					text += string(e.Details)
				}
				if v, ok := errors.AsType[*promptrails.ValidationError](err); ok {
					text += fmt.Sprint(v.Fields)
				}
				for _, part := range []string{secret, secret[len(secret)-10:], "S3cr3tPass", "MIIEvQ", "word1"} {
					if err == nil || strings.Contains(text, part) {
						t.Errorf("Credentials.Create with %s in %s and status %d: got %q, want an error without %q", name, form, code, text, part)
					}
				}
			}
		}
	}
}

// An error about a truncated response does not contain the new secret.
func TestSecretsOfTruncatedResponses(t *testing.T) {
	t.Parallel()
	for cut := 30; cut < 90; cut += 7 {
		body := `{"data":{"id":"k","workspace_id":"w","key":"vendor-own-form-4eC39HqLyjWDarjtT1zdp7dc"}}`[:cut]
		_, err := clientOver(t, &scripted{script: []http.HandlerFunc{status(201, body)}}, promptrails.WithMaxRetries(0)).APIKeys.Create(t.Context(), &promptrails.CreateAPIKeyParams{})
		if err == nil || strings.Contains(err.Error(), "vendor-own") {
			t.Errorf("APIKeys.Create with a response of %d bytes: got %v, want an error without the key", cut, err)
		}
	}
}

// An error about a setting names the option and the variable.
func TestErrorsNameTheSetting(t *testing.T) {
	for name, c := range map[string]struct {
		opts []promptrails.Option
		want []string
	}{
		"invalid URL":      {[]promptrails.Option{promptrails.WithBaseURL("ftp://x")}, []string{"WithBaseURL", "PROMPTRAILS_API_URL"}},
		"invalid key":      {[]promptrails.Option{promptrails.WithAPIKey("x")}, []string{"WithAPIKey", "PROMPTRAILS_API_KEY"}},
		"invalid token":    {[]promptrails.Option{promptrails.WithAccessToken("a b")}, []string{"WithAccessToken", "PROMPTRAILS_ACCESS_TOKEN"}},
		"key and token":    {[]promptrails.Option{promptrails.WithAccessToken("a"), promptrails.WithAPIKey("pr_x")}, []string{"WithAPIKey", "WithAccessToken"}},
		"empty key":        {[]promptrails.Option{promptrails.WithAPIKey("")}, []string{"WithAPIKey", "empty"}},
		"empty token":      {[]promptrails.Option{promptrails.WithAccessToken("")}, []string{"WithAccessToken", "empty"}},
		"nil key source":   {[]promptrails.Option{promptrails.WithAPIKeySource(nil)}, []string{"WithAPIKeySource"}},
		"nil token source": {[]promptrails.Option{promptrails.WithAccessTokenSource(nil)}, []string{"WithAccessTokenSource"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PROMPTRAILS_ACCESS_TOKEN", "of-the-environment")
			_, err := promptrails.NewClient(c.opts...)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("NewClient: got %v, want %q in it", err, want)
				}
			}
		})
	}
	c := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithAccessToken(token)))
	if _, err := c.Members.List(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "WithWorkspace") || !strings.Contains(err.Error(), "PROMPTRAILS_WORKSPACE_ID") {
		t.Errorf("Members.List without a workspace: got %v, want WithWorkspace and PROMPTRAILS_WORKSPACE_ID in it", err)
	}
}

// Details are appended only if the server's message does not contain them.
func TestErrorsDoNotRepeatThemselves(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"error":{"code":"quota_exceeded","message":"the plan free has 1 seats; remove a member or change the plan","details":{"limit":"team_members","max":1,"used":1,"plan":"free"}}}`: "the plan free has 1 seats; remove a member or change the plan",
		`{"error":{"code":"quota_exceeded","message":"no","details":{"limit":"team_members","max":1,"used":1,"plan":"free"}}}`:                                                            "no: team_members: 1 of 1 used on the plan free",
		`{"error":{"code":"insufficient_scope","message":"the API key lacks a scope","details":{"required":"members:write","granted":["members:read"]}}}`:                                 "the API key lacks a scope: it requires the scope members:write; it has members:read",
		`{"error":{"code":"insufficient_scope","message":"needs members:write","details":{"required":"members:write","granted":["members:read"]}}}`:                                       "needs members:write",
		`{"error":{"code":"feature_not_in_plan","message":"slack is not in the plan free","details":{"feature":"slack","plan":"free","available_in":["pro"]}}}`:                           "slack is not in the plan free: available in [pro]",
		`{"error":{"code":"validation_error","message":"slug must be lower-case","details":{"fields":{"slug":"must be lower-case"}}}}`:                                                    "slug must be lower-case",
	} {
		t.Run(want, func(t *testing.T) {
			_, err := clientOver(t, &scripted{script: []http.HandlerFunc{status(403, body)}}).Me(t.Context())
			if err == nil || !strings.HasSuffix(err.Error(), ": "+want) {
				t.Errorf("Me: got error %v, want the suffix %q", err, want)
			}
		})
	}
}
