package promptrails_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestNewClientRefuses(t *testing.T) {
	for name, opts := range map[string][]promptrails.Option{
		"both kinds of authentication": {promptrails.WithAPIKey("pr_live_x"), promptrails.WithAccessToken("pat_x")},
		"a key that cannot be one":     {promptrails.WithAPIKey("sk-verysecret")},
		"a key with a line break":      {promptrails.WithAPIKey("pr_verysecret\r\nX: y")},
		"an API key as a token":        {promptrails.WithAccessToken("pr_verysecret")},
		"plain http elsewhere":         {promptrails.WithBaseURL("http://api.example.com")},
		"a base URL without a host":    {promptrails.WithBaseURL("api.example.com")},
		"a base URL with a password":   {promptrails.WithBaseURL("https://me:verysecret@example.com")},
		"a base URL with a query":      {promptrails.WithBaseURL("https://example.com/?a=b")},
		"another scheme":               {promptrails.WithBaseURL("ftp://example.com")},
		"no response size":             {promptrails.WithMaxResponseSize(0)},
		"a user agent of two lines":    {promptrails.WithUserAgent("a\r\nb")},
	} {
		c, err := promptrails.NewClient(opts...)
		if c != nil || !errors.Is(err, promptrails.ErrValidation) || strings.Contains(err.Error(), "verysecret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, url := range []string{"http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "https://example.com/base/", "https://example.com/api/v1/"} {
		if _, err := promptrails.NewClient(promptrails.WithBaseURL(url)); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := promptrails.NewClient(promptrails.WithBaseURL("http://api.example.com"), promptrails.WithInsecureHTTP()); err != nil {
		t.Error(err)
	}
}

func TestEnvironment(t *testing.T) {
	a := &answers{script: []http.HandlerFunc{status(200, `{"data":[]}`)}}
	overA := promptrails.WithHTTPClient(&http.Client{Transport: a})
	for _, c := range []struct {
		name, key, token string
		opts             []promptrails.Option
		wantKey, wantTok string
		fails            bool
	}{
		{name: "the key's variable", key: "pr_env", wantKey: "pr_env"},
		{name: "the token's variable", token: "env", wantTok: "Bearer env"},
		{name: "both variables", key: "pr_env", token: "env", fails: true},
		{name: "an option beats its variable", key: "pr_env", opts: []promptrails.Option{promptrails.WithAPIKey("pr_opt")}, wantKey: "pr_opt"},
		{name: "an option silences the other kind", key: "pr_env", token: "env", opts: []promptrails.Option{promptrails.WithAccessToken("opt")}, wantTok: "Bearer opt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("PROMPTRAILS_API_KEY", c.key)
			t.Setenv("PROMPTRAILS_ACCESS_TOKEN", c.token)
			t.Setenv("PROMPTRAILS_WORKSPACE_ID", "env-workspace")
			t.Setenv("PROMPTRAILS_API_URL", "https://env.example.com/base")
			client, err := promptrails.NewClient(append(c.opts, overA)...)
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			if c.fails {
				return
			}
			if _, err := client.Members.List(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			r := a.seen[a.count()-1]
			if r.Header.Get("X-API-Key") != c.wantKey || r.Header.Get("Authorization") != c.wantTok || r.Header.Get("X-Workspace-ID") != "env-workspace" || r.URL.String() != "https://env.example.com/base/api/v1/members" {
				t.Errorf("%s %v", r.URL, r.Header)
			}
			if _, err := client.InWorkspace("other").Members.List(t.Context(), nil); err != nil || a.seen[a.count()-1].Header.Get("X-Workspace-ID") != "other" {
				t.Errorf("InWorkspace: %v", err)
			}
		})
	}
}

// What cannot succeed is refused before anything is sent.
func TestRefusedBeforeSending(t *testing.T) {
	t.Parallel()
	a := &answers{script: []http.HandlerFunc{status(200, someUser)}}
	overA := promptrails.WithHTTPClient(&http.Client{Transport: a})
	anonymous, err := promptrails.NewClient(overA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := anonymous.Me(t.Context()); !errors.Is(err, promptrails.ErrUnauthorized) || !strings.Contains(err.Error(), "WithAPIKey") {
		t.Errorf("without authentication: %v", err)
	}
	nowhere, err := promptrails.NewClient(overA, promptrails.WithAccessToken(token))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nowhere.Members.List(t.Context(), nil); !errors.Is(err, promptrails.ErrValidation) || !strings.Contains(err.Error(), "InWorkspace") {
		t.Errorf("a person in no workspace: %v", err)
	}
	if _, err := nowhere.Workspaces.Create(t.Context(), nil); !errors.Is(err, promptrails.ErrValidation) {
		t.Errorf("no parameters: %v", err)
	}
	if _, err := nowhere.Invitations.Accept(t.Context(), promptrails.NewSecret("[redacted]")); !errors.Is(err, promptrails.ErrValidation) {
		t.Errorf("a secret that was taken out: %v", err)
	}
	if a.count() != 0 {
		t.Errorf("%d requests were sent", a.count())
	}
}

// The caller's own http.Client is copied, not changed.
func TestHTTPClientIsCopied(t *testing.T) {
	t.Parallel()
	mine := &http.Client{}
	if _, err := promptrails.NewClient(promptrails.WithHTTPClient(mine)); err != nil {
		t.Fatal(err)
	}
	if mine.Transport != nil || mine.CheckRedirect != nil || mine.Timeout != 0 {
		t.Errorf("%+v", mine)
	}
}
