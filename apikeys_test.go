package promptrails_test

import (
	"errors"
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
			Status: promptrails.APIKeyActive, CreatedBy: w.OwnerID, Version: 1, CreatedAt: made.CreatedAt,
		}
		if diff := cmp.Diff(want, made.APIKey); diff != "" || made.Key.IsZero() {
			t.Errorf("Create (-want +got):\n%s", diff)
		}
		got, err := in.APIKeys.Get(ctx, made.ID)
		if err != nil || !cmp.Equal(want, *got) {
			t.Errorf("Get: %v (-want +got):\n%s", err, cmp.Diff(want, *got))
		}

		key := p.withKey(made.Key)
		current, err := key.APIKeys.Current(ctx)
		if err != nil || current.ID != made.ID {
			t.Errorf("Current = %+v, %v", current, err)
		}
		if page, err := key.Members.List(ctx, nil); err != nil || len(page.Items) != 1 {
			t.Errorf("what the key may = %+v, %v", page, err)
		}
		_, err = key.Credentials.List(ctx, nil)
		scope, ok := errors.AsType[*promptrails.ScopeError](err)
		if !ok || scope.Required != promptrails.ScopeCredentialsRead || !cmp.Equal(scope.Granted, want.Scopes) || !errors.Is(err, promptrails.ErrForbidden) {
			t.Errorf("what the key may not = %v", err)
		}
		if _, err := key.Me(ctx); codeOf(err) != promptrails.CodeUserTokenRequired {
			t.Errorf("a person's act = %v", err)
		}
		verified, err := key.APIKeys.Verify(ctx, &promptrails.VerifyAPIKeyParams{Key: made.Key})
		if err != nil || !verified.Valid || verified.APIKey.ID != made.ID {
			t.Errorf("Verify = %+v, %v", verified, err)
		}
		verified, err = key.APIKeys.Verify(ctx, &promptrails.VerifyAPIKeyParams{Key: made.Key, IP: "203.0.113.9"})
		if err != nil || verified.Valid || verified.Code != promptrails.CodeIPNotAllowed {
			t.Errorf("Verify from another address = %+v, %v", verified, err)
		}

		changed, err := in.APIKeys.Update(ctx, made.ID, &promptrails.UpdateAPIKeyParams{AllowedIPs: new([]string(nil)), ExpiresAt: new(time.Time{})}, promptrails.WithIfMatch(1))
		if err != nil || changed.AllowedIPs != nil || !changed.ExpiresAt.IsZero() || changed.Version != 2 {
			t.Errorf("Update = %+v, %v", changed, err)
		}
		next, err := in.APIKeys.Rotate(ctx, made.ID, time.Hour)
		if err != nil || next.ID == made.ID || next.Key.Equal(made.Key) || !cmp.Equal(next.Scopes, made.Scopes) {
			t.Fatalf("Rotate = %+v, %v", next, err)
		}
		old, err := in.APIKeys.Get(ctx, made.ID)
		if err != nil || old.Status != promptrails.APIKeyRotating || old.RotatedTo != next.ID || old.OverlapEndsAt.IsZero() {
			t.Errorf("the rotated key = %+v, %v", old, err)
		}
		for _, secret := range []promptrails.Secret{made.Key, next.Key} {
			if _, err := p.withKey(secret).APIKeys.Current(ctx); err != nil {
				t.Errorf("during the overlap: %v", err)
			}
		}
		if err := in.APIKeys.Revoke(ctx, made.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := key.APIKeys.Current(ctx); codeOf(err) != promptrails.CodeAPIKeyRevoked || !errors.Is(err, promptrails.ErrUnauthorized) {
			t.Errorf("a revoked key = %v", err)
		}
		if err := in.APIKeys.Revoke(ctx, made.ID); !errors.Is(err, promptrails.ErrConflict) {
			t.Errorf("revoked twice = %v", err)
		}
		page, err := in.APIKeys.List(ctx, &promptrails.ListAPIKeysParams{Status: promptrails.APIKeyActive, CreatedBy: w.OwnerID})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != next.ID {
			t.Errorf("List = %+v, %v", page, err)
		}
		n := 0
		for _, err := range in.APIKeys.All(ctx, nil) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("All yields %d", n)
		}
	})
}

func TestScopes(t *testing.T) {
	t.Parallel()
	got := promptrails.ParseScopes(" members:read, somebody:elses\tmembers:read\nagent_triggers:read ")
	if diff := cmp.Diff(promptrails.Scopes{"members:read", "somebody:elses", "agent_triggers:read"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !got.Covers(promptrails.ScopeWebhookTriggersRead, promptrails.ScopeMembersRead) || got.Covers(promptrails.ScopeMembersWrite) || got.String() != "members:read somebody:elses agent_triggers:read" {
		t.Errorf("%s covers too much or too little", got)
	}
	if promptrails.Scope("somebody:elses").IsKnown() || len(promptrails.KnownScopes()) != 47 {
		t.Errorf("%d scopes are known", len(promptrails.KnownScopes()))
	}
}

func FuzzScopes(f *testing.F) {
	f.Add("members:read,credentials:write *")
	f.Fuzz(func(t *testing.T, text string) {
		scopes := promptrails.ParseScopes(text)
		if again := promptrails.ParseScopes(scopes.String()); !cmp.Equal(scopes, again) || !scopes.Covers(scopes...) {
			t.Errorf("%q is %v, which reads as %v", text, scopes, again)
		}
	})
}

// A key that revokes itself is done, although its retry is refused.
func TestKeyThatRevokesItself(t *testing.T) {
	t.Parallel()
	url, _ := listen(t, hangUp, answering(401, `{"error":{"code":"api_key_revoked"}}`))
	c := clientAt(t, url, promptrails.WithIdempotentServer())
	if err := c.APIKeys.Revoke(t.Context(), "k"); err != nil {
		t.Error(err)
	}
	url, _ = listen(t, answering(401, `{"error":{"code":"api_key_revoked"}}`))
	if err := clientAt(t, url).APIKeys.Revoke(t.Context(), "k"); !errors.Is(err, promptrails.ErrUnauthorized) {
		t.Errorf("refused at once: %v", err)
	}
}
