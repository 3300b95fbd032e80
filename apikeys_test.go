package promptrails_test

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestAPIKeys(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		in, w := newWorkspace(t, p.person("ada@example.com", "Ada"), "research")
		expires := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		made, err := in.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{
			Name: "CI", Scopes: promptrails.Scopes{promptrails.ScopeMembersRead, promptrails.ScopeAPIKeysVerify},
			AllowedIPs: []string{"127.0.0.0/8"}, ExpiresAt: expires,
		})
		if err != nil {
			t.Fatal(err)
		}
		want := promptrails.APIKey{
			ID: made.ID, WorkspaceID: w.ID, Name: "CI", Prefix: made.Prefix, Last4: made.Last4,
			Scopes: promptrails.Scopes{"members:read", "api_keys:verify"}, AllowedIPs: []string{"127.0.0.0/8"}, ExpiresAt: expires,
			Status: promptrails.APIKeyActive, CreatedBy: w.OwnerID, CreatedByMember: made.CreatedByMember, Version: 1, CreatedAt: made.CreatedAt,
		}
		if diff := cmp.Diff(want, made.APIKey); diff != "" || made.Key.IsZero() {
			t.Errorf("Create: key is zero: %t, want false (-want +got):\n%s", made.Key.IsZero(), diff)
		}
		got, err := in.APIKeys.Get(ctx, made.ID)
		if err != nil || !cmp.Equal(want, *got) {
			t.Errorf("Get: got error %v, want nil (-want +got):\n%s", err, cmp.Diff(want, *got))
		}

		key := p.withKey(made.Key)
		t.Run("use", func(t *testing.T) {
			current, err := key.APIKeys.Current(ctx)
			if err != nil || current.ID != made.ID {
				t.Errorf("Current: got %+v, %v; want the key %s", current, err, made.ID)
			}
			if page, err := key.Members.List(ctx, nil); err != nil || len(page.Items) != 1 {
				t.Errorf("Members.List with the scope: got %+v, %v; want one member", page, err)
			}
			_, err = key.Credentials.List(ctx, nil)
			scope, ok := errors.AsType[*promptrails.ScopeError](err)
			if !ok || scope.Required != promptrails.ScopeCredentialsRead || !cmp.Equal(scope.Granted, want.Scopes) || !errors.Is(err, promptrails.ErrForbidden) {
				t.Errorf("Credentials.List without the scope: got %v, want a *ScopeError", err)
			}
			if _, err := key.Me(ctx); codeOf(err) != promptrails.CodeUserTokenRequired {
				t.Errorf("Me with an API key: got %v, want the code user_token_required", err)
			}
		})
		t.Run("verify", func(t *testing.T) {
			verified, err := key.APIKeys.Verify(ctx, &promptrails.VerifyAPIKeyParams{Key: made.Key})
			if err != nil || !verified.Valid || verified.APIKey.ID != made.ID {
				t.Errorf("Verify: got %+v, %v; want the valid key %s", verified, err, made.ID)
			}
			verified, err = key.APIKeys.Verify(ctx, &promptrails.VerifyAPIKeyParams{Key: made.Key, IP: "203.0.113.9"})
			if err != nil || verified.Valid || verified.Code != promptrails.CodeIPNotAllowed {
				t.Errorf("Verify from another address: got %+v, %v; want the code ip_not_allowed", verified, err)
			}
		})
		t.Run("update", func(t *testing.T) {
			changed, err := in.APIKeys.Update(ctx, made.ID, &promptrails.UpdateAPIKeyParams{AllowedIPs: new([]string(nil)), ExpiresAt: new(time.Time{})}, promptrails.WithIfMatch(1))
			if err != nil || changed.AllowedIPs != nil || !changed.ExpiresAt.IsZero() || changed.Version != 2 {
				t.Errorf("Update: got %+v, %v; want version 2 without addresses and expiry", changed, err)
			}
		})
		t.Run("rotate, revoke and list", func(t *testing.T) {
			next, err := in.APIKeys.Rotate(ctx, made.ID, time.Hour)
			if err != nil || next.ID == made.ID || next.Key.Equal(made.Key) || !cmp.Equal(next.Scopes, made.Scopes) {
				t.Fatalf("Rotate: got %+v, %v; want a new key with the same scopes", next, err)
			}
			old, err := in.APIKeys.Get(ctx, made.ID)
			if err != nil || old.Status != promptrails.APIKeyRotating || old.RotatedTo != next.ID || old.OverlapEndsAt.IsZero() {
				t.Errorf("Get of the rotated key: got %+v, %v; want the status rotating and the new key %s", old, err, next.ID)
			}
			for _, secret := range []promptrails.Secret{made.Key, next.Key} {
				if _, err := p.withKey(secret).APIKeys.Current(ctx); err != nil {
					t.Errorf("Current during the overlap: got %v, want no error", err)
				}
			}
			if err := in.APIKeys.Revoke(ctx, made.ID); err != nil {
				t.Fatal(err)
			}
			if _, err := key.APIKeys.Current(ctx); codeOf(err) != promptrails.CodeAPIKeyRevoked || !errors.Is(err, promptrails.ErrUnauthorized) {
				t.Errorf("Current with a revoked key: got %v, want ErrUnauthorized with the code api_key_revoked", err)
			}
			if err := in.APIKeys.Revoke(ctx, made.ID); !errors.Is(err, promptrails.ErrConflict) {
				t.Errorf("second Revoke: got %v, want ErrConflict", err)
			}
			page, err := in.APIKeys.List(ctx, &promptrails.ListAPIKeysParams{Status: promptrails.APIKeyActive, CreatedBy: w.OwnerID})
			if err != nil || len(page.Items) != 1 || page.Items[0].ID != next.ID {
				t.Errorf("List: got %+v, %v; want only the key %s", page, err, next.ID)
			}
			n := 0
			for _, err := range in.APIKeys.All(ctx, nil) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != 2 {
				t.Errorf("All: got %d keys, want 2", n)
			}
		})
	})
}

func TestScopes(t *testing.T) {
	t.Parallel()
	got := promptrails.ParseScopes(" members:read, other:scope\tmembers:read\nagent_triggers:read ")
	if diff := cmp.Diff(promptrails.Scopes{"members:read", "other:scope", "agent_triggers:read"}, got); diff != "" {
		t.Errorf("ParseScopes (-want +got):\n%s", diff)
	}
	if !got.Covers(promptrails.ScopeWebhookTriggersRead, promptrails.ScopeMembersRead) || got.Covers(promptrails.ScopeMembersWrite) || got.String() != "members:read other:scope agent_triggers:read" {
		t.Errorf("got scopes %q, want them to cover agent_triggers:read and members:read, and not members:write", got)
	}
	if promptrails.Scope("other:scope").IsKnown() {
		t.Error("IsKnown of another service's scope: got true, want false")
	}
}

func FuzzScopes(f *testing.F) {
	f.Add("members:read,credentials:write *")
	f.Fuzz(func(t *testing.T, text string) {
		scopes := promptrails.ParseScopes(text)
		if again := promptrails.ParseScopes(scopes.String()); !cmp.Equal(scopes, again) || !scopes.Covers(scopes...) {
			t.Errorf("ParseScopes(%q): got %v, and %v from its String, want equal scopes", text, scopes, again)
		}
	})
}

// After a lost response, a key that revokes itself gets 401 for the retry. Revoke
// succeeds if the server has identified the calling key, in an earlier response
// or in the 401 itself. After any other 401 the outcome is unknown.
func TestKeyRevokesItself(t *testing.T) {
	t.Parallel()
	const revoked, current = `{"error":{"code":"api_key_revoked"}}`, `{"data":{"id":"k","workspace_id":"w"}}`
	key := promptrails.WithAPIKey("pr_live_0123456789")
	for name, c := range map[string]struct {
		lookup bool // call Current first
		script []func(net.Conn)
		opts   []promptrails.Option
		done   bool
	}{
		"same key from Current":  {true, []func(net.Conn){respond(200, current), hangUp, respond(401, revoked)}, []promptrails.Option{key}, true},
		"same key in the 401":    {false, []func(net.Conn){hangUp, respond(401, `{"error":{"code":"api_key_revoked","details":{"api_key_id":"k"}}}`)}, []promptrails.Option{key}, true},
		"other key in the 401":   {true, []func(net.Conn){respond(200, current), hangUp, respond(401, `{"error":{"code":"api_key_revoked","details":{"api_key_id":"x"}}}`)}, []promptrails.Option{key}, false},
		"other key from Current": {true, []func(net.Conn){respond(200, `{"data":{"id":"x"}}`), hangUp, respond(401, revoked)}, []promptrails.Option{key}, false},
		"calling key unknown":    {false, []func(net.Conn){hangUp, respond(401, revoked)}, []promptrails.Option{key}, false},
		"other error code":       {true, []func(net.Conn){respond(200, current), hangUp, respond(401, `{"error":{"code":"unauthorized"}}`)}, []promptrails.Option{key}, false},
		"401 from a proxy":       {true, []func(net.Conn){respond(200, current), hangUp, respond(401, "<html>")}, []promptrails.Option{key}, false},
		"access token":           {false, []func(net.Conn){hangUp, respond(401, revoked)}, []promptrails.Option{promptrails.WithAccessToken(token), promptrails.WithWorkspace("w")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, _ := listen(t, c.script...)
			transport := &http.Transport{}
			t.Cleanup(transport.CloseIdleConnections)
			client := must[*promptrails.Client](t)(promptrails.NewClient(append(c.opts, promptrails.WithBaseURL(url), promptrails.WithHTTPClient(&http.Client{Transport: transport}))...))
			if c.lookup {
				must[*promptrails.APIKey](t)(client.APIKeys.Current(t.Context()))
			}
			err := client.APIKeys.Revoke(t.Context(), "k")
			if c.done != (err == nil) || err != nil && (!errors.Is(err, promptrails.ErrUnauthorized) || !strings.Contains(err.Error(), "not known")) {
				t.Errorf("Revoke: got %v, want success: %t, else ErrUnauthorized with an unknown outcome", err, c.done)
			}
		})
	}
	url, _ := listen(t, respond(401, revoked))
	if err := clientAt(t, url).APIKeys.Revoke(t.Context(), "k"); !errors.Is(err, promptrails.ErrUnauthorized) || strings.Contains(err.Error(), "outcome") {
		t.Errorf("Revoke with 401 for the first attempt: got %v, want ErrUnauthorized without a note about the outcome", err)
	}
}
