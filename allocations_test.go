package promptrails_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The calls that a program makes most often allocate little. The bounds have 5 %
// of room, and include net/http without a connection. A change that exceeds them
// needs a reason, and one that saves memory lowers them.
func TestAllocations(t *testing.T) {
	if underRaceDetector() {
		t.Skip("the race detector drops objects from pools at random")
	}
	ctx := t.Context()
	c := clientOver(t, cannedResponses(t))
	credentials := &promptrails.ListCredentialsParams{ListOptions: promptrails.ListOptions{Limit: 100}}
	entries := &promptrails.ListChangelogParams{ListOptions: promptrails.ListOptions{Limit: 100}}
	restricted := (&keyServer{}).client(t, promptrails.WithScopes(promptrails.ScopeAgentsRead))
	auth := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(verifier(func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
		return &promptrails.APIKey{ID: "k", WorkspaceID: "w", Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead, promptrails.ScopeTracesRead}}, nil
	}))))
	use := promptrails.AuthRequest{Scopes: []promptrails.Scope{promptrails.ScopeTracesRead}}
	for _, test := range []struct {
		name           string
		objects, bytes float64 // maxima
		call           func() error
	}{
		{"Credentials.Get", 45, 4_800, func() error { _, err := c.Credentials.Get(ctx, "c"); return err }},
		{"Credentials.List of 100", 270, 72_700, func() error { _, err := c.Credentials.List(ctx, credentials); return err }},
		{"Changelog.List of 100", 175, 116_500, func() error { _, err := c.Changelog.List(ctx, entries); return err }},
		{"Members.Get without the scope", 3, 268, func() error { _, err := restricted.Members.Get(ctx, "m"); return scopeRefused(err) }},
		{"Members.List without the scope", 3, 436, func() error { return scopeRefused(readMembers(ctx, restricted)) }},
		{"Authenticate of a cached key", 1, 252, func() error { _, err := auth.Authenticate(ctx, someKey, use); return err }},
	} {
		objects, size := allocated(t, test.call)
		if objects > test.objects || size > test.bytes {
			t.Errorf("%s: got %v allocations of %v bytes, want %v of %v at most", test.name, objects, size, test.objects, test.bytes)
		}
	}
}

// underRaceDetector reports whether the test was built with -race.
func underRaceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}

// scopeRefused returns an error if a call was not refused before its request.
func scopeRefused(err error) error {
	if _, ok := errors.AsType[*promptrails.ScopeError](err); !ok {
		return fmt.Errorf("got error %w, want a *ScopeError", err)
	}
	return nil
}

// allocated is like [testing.AllocsPerRun], and also returns the number of bytes. It
// returns the least of several measurements, because a collection empties the pools.
func allocated(t *testing.T, call func() error) (objects, size float64) {
	t.Helper()
	const measurements, calls = 5, 50
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for i := range measurements {
		var before, after runtime.MemStats
		for n := range calls + 1 {
			if n == 1 { // the first call fills the pools
				runtime.ReadMemStats(&before)
			}
			if err := call(); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		o, s := float64((after.Mallocs-before.Mallocs)/calls), float64((after.TotalAlloc-before.TotalAlloc)/calls)
		if i == 0 || s < size {
			objects, size = o, s
		}
	}
	return objects, size
}

// cannedResponses serves one credential, 100 credentials and 100 changelog entries.
func cannedResponses(t *testing.T) http.RoundTripper {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	valid := true
	var credentials []*promptrails.Credential
	var entries []*promptrails.ChangelogEntry
	for i := range 100 {
		id := fmt.Sprintf("3MVOWo1xF7FAhBX%012d", i)
		credentials = append(credentials, &promptrails.Credential{
			ID: id, WorkspaceID: "2N8Dx8a2a1qUspBKbP02vqP29eH", Name: "Key of Ada " + id, Type: "openai", Category: promptrails.CategoryLLM,
			Description: "The key " + id, MaskedContent: "sk-…" + id[23:], IsValid: &valid, Version: 1, CreatedAt: at, UpdatedAt: at.Add(time.Duration(i) * time.Second),
		})
		entry := new(promptrails.ChangelogEntry)
		text := fmt.Sprintf(`{"action":"updated","actor":{"id":%q,"name":"Ada","type":"user"},"changes":{"name":{"from":"Research %d","to":"Research %d"}},"hash":"%064x","id":%q,`+
			`"ip":"203.0.113.9","occurred_at":"2026-01-02T03:04:05.000006Z","prev_hash":"%064x","request_id":%q,"resource":{"id":"2N8Dx8a2a1qUspBKbP02vqP29eH","name":"Research","type":"workspace"},`+
			`"sequence":%d,"user_agent":"promptrails-go/0.1.0","workspace_id":"2N8Dx8a2a1qUspBKbP02vqP29eH"}`, id, i, i+1, i+1, id, i, id, i+1)
		if err := json.Unmarshal([]byte(text), entry); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	body := func(data any) []byte {
		return must[[]byte](t)(json.Marshal(map[string]any{"data": data}))
	}
	one, many, log := body(credentials[0]), body(credentials), body(entries)
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		text := one
		switch {
		case strings.HasSuffix(r.URL.Path, "/credentials"):
			text = many
		case strings.HasSuffix(r.URL.Path, "/changelog"):
			text = log
		}
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(text)),
			Body: io.NopCloser(bytes.NewReader(text)), Request: r,
		}, nil
	})
}
