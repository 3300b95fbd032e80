package promptrails_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestCredentials(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		in, w := newWorkspace(t, p.person("ada@example.com", "Ada"), "research")
		made, err := in.Credentials.Create(ctx, &promptrails.CreateCredentialParams{
			Name: " OpenAI ", Type: "openai", Description: "for tests", Value: promptrails.NewSecret("sk-made-up-value-0001"), IsDefault: true, SchemaType: "v1",
		})
		if err != nil {
			t.Fatal(err)
		}
		want := &promptrails.Credential{
			ID: made.ID, WorkspaceID: w.ID, Name: "OpenAI", Type: "openai", Category: promptrails.CategoryLLM, Description: "for tests",
			MaskedContent: "sk****************01", IsDefault: true, SchemaType: "v1", Version: 1, CreatedAt: made.CreatedAt, UpdatedAt: made.CreatedAt,
		}
		if diff := cmp.Diff(want, made); diff != "" {
			t.Errorf("Create (-want +got):\n%s", diff)
		}
		got, err := in.Credentials.Get(ctx, made.ID)
		if diff := cmp.Diff(made, got); err != nil || diff != "" {
			t.Errorf("Get: got error %v, want nil (-want +got):\n%s", err, diff)
		}

		t.Run("set the default", func(t *testing.T) {
			second, err := in.Credentials.Create(ctx, &promptrails.CreateCredentialParams{Name: "Other", Type: "openai", Value: promptrails.NewSecret("sk-made-up-value-0002")})
			if err != nil {
				t.Fatal(err)
			}
			if second, err = in.Credentials.SetDefault(ctx, second.ID); err != nil || !second.IsDefault || second.Version != 2 {
				t.Errorf("SetDefault: got %+v, %v; want version 2 that is the default", second, err)
			}
			if got, err = in.Credentials.Get(ctx, made.ID); err != nil || got.IsDefault || got.Version != 2 {
				t.Errorf("Get of the previous default: got %+v, %v; want version 2 that is not the default", got, err)
			}
		})
		t.Run("check and update", func(t *testing.T) {
			check, err := in.Credentials.CheckConnection(ctx, made.ID)
			if err != nil || check.IsValid != nil || check.Reason == "" || check.CheckedAt.IsZero() {
				t.Errorf("CheckConnection of a well-formed value: got %+v, %v; want no IsValid, a reason and a time", check, err)
			}
			rotated, err := in.Credentials.Update(ctx, made.ID, &promptrails.UpdateCredentialParams{
				Value: new(promptrails.NewSecret("not a key of openai's")), Description: new(""), Name: new("Renamed"),
			}, promptrails.WithIfMatch(2))
			if err != nil || rotated.Version != 3 || rotated.Description != "" || rotated.Name != "Renamed" || rotated.MaskedContent == made.MaskedContent {
				t.Errorf("Update: got %+v, %v; want version 3 with the new name and value and no description", rotated, err)
			}
			if check, err = in.Credentials.CheckConnection(ctx, made.ID); err != nil || check.IsValid == nil || *check.IsValid {
				t.Errorf("CheckConnection of a malformed value: got %+v, %v; want IsValid false", check, err)
			}
			if got, err = in.Credentials.Get(ctx, made.ID); err != nil || got.IsValid == nil || *got.IsValid || got.Version != 3 {
				t.Errorf("Get after the check: got %+v, %v; want IsValid false and version 3", got, err)
			}
		})
		t.Run("list", func(t *testing.T) {
			page, err := in.Credentials.List(ctx, &promptrails.ListCredentialsParams{Category: promptrails.CategoryLLM, Type: "openai", Query: "RENAM"})
			if err != nil || len(page.Items) != 1 || page.Items[0].ID != made.ID {
				t.Errorf("List: got %+v, %v; want only the credential %s", page, err, made.ID)
			}
			n := 0
			for _, err := range in.Credentials.All(ctx, nil) {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != 2 {
				t.Errorf("All: got %d credentials, want 2", n)
			}
		})
		_, err = in.Credentials.Create(ctx, &promptrails.CreateCredentialParams{})
		invalid, ok := errors.AsType[*promptrails.ValidationError](err)
		if !ok || invalid.Fields["name"] == "" || invalid.Fields["type"] == "" || invalid.Fields["value"] == "" {
			t.Errorf("Create without fields: got %v, want a *ValidationError for name, type and value", err)
		}
		t.Run("delete", func(t *testing.T) {
			if err := in.Credentials.Delete(ctx, made.ID, &promptrails.DeleteCredentialParams{Force: true}); err != nil {
				t.Fatal(err)
			}
			if _, err := in.Credentials.Get(ctx, made.ID); !errors.Is(err, promptrails.ErrNotFound) {
				t.Errorf("Get after Delete: got %v, want ErrNotFound", err)
			}
		})
		t.Run("changelog", func(t *testing.T) {
			entries, err := in.Changelog.List(ctx, &promptrails.ListChangelogParams{ResourceType: promptrails.ResourceCredential, Order: promptrails.OrderAscending})
			if err != nil {
				t.Fatal(err)
			}
			var actions []promptrails.ChangelogAction
			for _, e := range entries.Items {
				actions = append(actions, e.Action)
				value, ok := e.Changes.Get("value")
				if changed := e.Action != promptrails.ActionUpdated || e.Resource.Name == "Renamed"; ok != changed || ok && string(value.From) == string(value.To) && e.Action != promptrails.ActionUpdated {
					t.Errorf("changelog entry %d: got a change of the value: %t, from %s to %s; want one: %t", e.Sequence, ok, value.From, value.To, changed)
				}
			}
			wantActions := []promptrails.ChangelogAction{"created", "created", "updated", "updated", "updated", "deleted"}
			if diff := cmp.Diff(wantActions, actions); diff != "" {
				t.Errorf("changelog actions (-want +got):\n%s", diff)
			}
		})
	})
}

// The client decodes every field of the vendor's credentials.
func TestVendorCredential(t *testing.T) {
	t.Parallel()
	for _, e := range vendorExchanges(t) {
		if e.Note != "get" && e.Note != "last page" {
			continue
		}
		want := &promptrails.Credential{
			ID: "3MVOWo1xF7FAhBXJx8TdMd8GK1h", WorkspaceID: "2N8Dx8a2a1qUspBKbP02vqP29eH", Name: "provider key 0", Type: "openai",
			Category: promptrails.CategoryLLM, Description: "recorded", MaskedContent: "sk-r**************0000", IsDefault: true, IsValid: new(true),
			CreatedAt: time.Date(2026, 11, 23, 11, 11, 42, 387306055, time.UTC), UpdatedAt: time.Date(2026, 11, 23, 11, 11, 42, 387306055, time.UTC),
		}
		c := clientOver(t, &scripted{script: []http.HandlerFunc{status(e.Response.Status, e.Response.Body)}})
		if e.Note == "get" {
			got, err := c.Credentials.Get(t.Context(), want.ID)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("Get: got error %v, want nil (-want +got):\n%s", err, diff)
			}
			continue
		}
		page, err := c.Credentials.List(t.Context(), &promptrails.ListCredentialsParams{ListOptions: promptrails.ListOptions{Page: 3, Limit: 2}})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&promptrails.Page[promptrails.Credential]{Items: []*promptrails.Credential{want}, Meta: promptrails.Meta{Total: 5, Page: 3, Limit: 2, Pages: 3}}, page); diff != "" {
			t.Errorf("List of the last page (-want +got):\n%s", diff)
		}
	}
}
