package promptrails_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestNewClientRejectsInvalidOptions(t *testing.T) {
	for name, opts := range map[string][]promptrails.Option{
		"API key and access token":     {promptrails.WithAPIKey("pr_live_x"), promptrails.WithAccessToken("pat_x")},
		"malformed key":                {promptrails.WithAPIKey("sk-verysecret")},
		"key with a line break":        {promptrails.WithAPIKey("pr_verysecret\r\nX: y")},
		"API key as access token":      {promptrails.WithAccessToken("pr_verysecret")},
		"http to another host":         {promptrails.WithBaseURL("http://api.example.com")},
		"base URL without a scheme":    {promptrails.WithBaseURL("api.example.com")},
		"base URL with a password":     {promptrails.WithBaseURL("https://me:verysecret@example.com")},
		"base URL with a query":        {promptrails.WithBaseURL("https://example.com/?a=b")},
		"unknown scheme":               {promptrails.WithBaseURL("ftp://example.com")},
		"zero response size":           {promptrails.WithMaxResponseSize(0)},
		"user agent with a line break": {promptrails.WithUserAgent("a\r\nb")},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := promptrails.NewClient(opts...)
			if c != nil || !errors.Is(err, promptrails.ErrValidation) || strings.Contains(err.Error(), "verysecret") {
				t.Errorf("NewClient: got %v, %v; want ErrValidation without the secret", c, err)
			}
		})
	}
	for _, url := range []string{"http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "https://example.com/base/", "https://example.com/api/v1/"} {
		if _, err := promptrails.NewClient(promptrails.WithBaseURL(url)); err != nil {
			t.Errorf("NewClient with the base URL %s: got %v, want no error", url, err)
		}
	}
	if _, err := promptrails.NewClient(promptrails.WithBaseURL("http://api.example.com"), promptrails.WithInsecureHTTP()); err != nil {
		t.Errorf("NewClient with WithInsecureHTTP: got %v, want no error", err)
	}
}

func TestEnvironment(t *testing.T) {
	a := &scripted{script: []http.HandlerFunc{status(200, `{"data":[]}`)}}
	overA := promptrails.WithHTTPClient(&http.Client{Transport: a})
	for _, c := range []struct {
		name, key, token string
		opts             []promptrails.Option
		wantKey, wantTok string
		wantErr          bool
	}{
		{name: "PROMPTRAILS_API_KEY", key: "pr_env", wantKey: "pr_env"},
		{name: "PROMPTRAILS_ACCESS_TOKEN", token: "env", wantTok: "Bearer env"},
		{name: "both variables", key: "pr_env", token: "env", wantErr: true},
		{name: "option instead of its variable", key: "pr_env", opts: []promptrails.Option{promptrails.WithAPIKey("pr_opt")}, wantKey: "pr_opt"},
		{name: "option instead of both variables", key: "pr_env", token: "env", opts: []promptrails.Option{promptrails.WithAccessToken("opt")}, wantTok: "Bearer opt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("PROMPTRAILS_API_KEY", c.key)
			t.Setenv("PROMPTRAILS_ACCESS_TOKEN", c.token)
			t.Setenv("PROMPTRAILS_WORKSPACE_ID", "env-workspace")
			t.Setenv("PROMPTRAILS_API_URL", "https://env.example.com/base")
			client, err := promptrails.NewClient(append(c.opts, overA)...)
			if (err != nil) != c.wantErr {
				t.Fatalf("NewClient: got error %v, want an error: %t", err, c.wantErr)
			}
			if c.wantErr {
				return
			}
			if _, err := client.Members.List(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			r := a.seen[a.count()-1]
			if r.Header.Get("X-API-Key") != c.wantKey || r.Header.Get("Authorization") != c.wantTok || r.Header.Get("X-Workspace-ID") != "env-workspace" || r.URL.String() != "https://env.example.com/base/api/v1/members" {
				t.Errorf("request: got %s with the headers %v, want the key %q, the authorization %q and the other settings of the environment", r.URL, r.Header, c.wantKey, c.wantTok)
			}
			if _, err := client.InWorkspace("other").Members.List(t.Context(), nil); err != nil || a.seen[a.count()-1].Header.Get("X-Workspace-ID") != "other" {
				t.Errorf("Members.List in another workspace: got error %v and X-Workspace-ID %q, want nil and \"other\"", err, a.seen[a.count()-1].Header.Get("X-Workspace-ID"))
			}
		})
	}
}

// Calls that cannot succeed fail without a request.
func TestInvalidCallsSendNoRequest(t *testing.T) {
	t.Parallel()
	a := &scripted{script: []http.HandlerFunc{status(200, someUser)}}
	overA := promptrails.WithHTTPClient(&http.Client{Transport: a})
	anonymous, err := promptrails.NewClient(overA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := anonymous.Me(t.Context()); !errors.Is(err, promptrails.ErrUnauthorized) || !strings.Contains(err.Error(), "WithAPIKey") {
		t.Errorf("Me without credentials: got %v, want ErrUnauthorized that names WithAPIKey", err)
	}
	noWorkspace, err := promptrails.NewClient(overA, promptrails.WithAccessToken(token))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := noWorkspace.Members.List(t.Context(), nil); !errors.Is(err, promptrails.ErrValidation) || !strings.Contains(err.Error(), "InWorkspace") {
		t.Errorf("Members.List without a workspace: got %v, want ErrValidation that names InWorkspace", err)
	}
	if _, err := noWorkspace.Workspaces.Create(t.Context(), nil); !errors.Is(err, promptrails.ErrValidation) {
		t.Errorf("Workspaces.Create without parameters: got %v, want ErrValidation", err)
	}
	if _, err := noWorkspace.Invitations.Accept(t.Context(), promptrails.NewSecret("[redacted]")); !errors.Is(err, promptrails.ErrValidation) {
		t.Errorf("Invitations.Accept with a redacted token: got %v, want ErrValidation", err)
	}
	if a.count() != 0 {
		t.Errorf("got %d requests, want 0", a.count())
	}
}

// NewClient copies the caller's http.Client.
func TestHTTPClientIsCopied(t *testing.T) {
	t.Parallel()
	mine := &http.Client{}
	if _, err := promptrails.NewClient(promptrails.WithHTTPClient(mine)); err != nil {
		t.Fatal(err)
	}
	if mine.Transport != nil || mine.CheckRedirect != nil || mine.Timeout != 0 {
		t.Errorf("http.Client after NewClient: got %+v, want it unchanged", mine)
	}
}
