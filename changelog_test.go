package promptrails_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestChangelog(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		ada := p.person("ada@example.com", "Ada")
		in, w := newWorkspace(t, ada, "research")
		invitation, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser}, promptrails.WithRequestID("my-request"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ada.Workspaces.Update(ctx, w.ID, &promptrails.UpdateWorkspaceParams{Name: new("Renamed <&>")}); err != nil {
			t.Fatal(err)
		}

		var entries []*promptrails.ChangelogEntry
		for e, err := range in.Changelog.All(ctx, &promptrails.ListChangelogParams{Order: promptrails.OrderAscending, ListOptions: promptrails.ListOptions{Limit: 3}}, promptrails.WithPrefetch(0)) {
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, e)
		}
		if len(entries) != 4 {
			t.Fatalf("All: got %d entries, want 4: workspace, member, invitation, workspace", len(entries))
		}
		e := entries[2]
		if e.Action != promptrails.ActionCreated || e.Resource != (promptrails.ChangelogResource{Type: promptrails.ResourceInvitation, ID: invitation.ID, Name: "grace@example.com"}) ||
			e.Actor != (promptrails.Actor{Type: promptrails.ActorUser, ID: w.OwnerID, Name: "Ada"}) || e.RequestID != "my-request" || e.IP != "127.0.0.1" || e.WorkspaceID != w.ID {
			t.Errorf("entry of the invitation: got %+v, want one created by Ada with the request id and the address", e)
		}
		token, ok := e.Changes.Get("token")
		if !ok || string(token.From) != "null" || string(token.To) != `"[redacted]"` {
			t.Errorf("change of the token: got %s to %s, want null to \"[redacted]\"", token.From, token.To)
		}
		name, ok := entries[3].Changes.Get("name")
		if !ok || string(name.From) != `"The research"` || string(name.To) != `"Renamed <&>"` {
			t.Errorf("change of the name: got %s to %s, want \"The research\" to \"Renamed <&>\"", name.From, name.To)
		}
		if _, ok := entries[3].Changes.Get("slug"); ok {
			t.Error("change of the slug: got one, want none")
		}
		checkChain(t, w.ID, entries)

		head, err := in.Changelog.Head(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&promptrails.ChangelogHead{WorkspaceID: w.ID, Sequence: 4, Hash: entries[3].Hash}, head); diff != "" {
			t.Errorf("Head (-want +got):\n%s", diff)
		}
		one, err := in.Changelog.Get(ctx, e.ID)
		if err != nil || one.Hash != e.Hash {
			t.Errorf("Get: got %+v, %v; want the hash %s", one, err, e.Hash)
		}

		for _, c := range []struct {
			name   string
			params promptrails.ListChangelogParams
			want   []int64
		}{
			{"no filter", promptrails.ListChangelogParams{}, []int64{4, 3, 2, 1}},
			{"resource type", promptrails.ListChangelogParams{ResourceType: promptrails.ResourceWorkspace}, []int64{4, 1}},
			{"resource id", promptrails.ListChangelogParams{ResourceID: invitation.ID}, []int64{3}},
			{"action", promptrails.ListChangelogParams{Action: promptrails.ActionUpdated}, []int64{4}},
			{"actor type", promptrails.ListChangelogParams{ActorType: promptrails.ActorAPIKey}, nil},
			{"actor and sequence", promptrails.ListChangelogParams{ActorID: w.OwnerID, SequenceFrom: 2, SequenceTo: 3}, []int64{3, 2}},
			{"time", promptrails.ListChangelogParams{Since: entries[2].OccurredAt, Until: entries[3].OccurredAt}, []int64{3}},
		} {
			t.Run(c.name, func(t *testing.T) {
				page, err := in.Changelog.List(ctx, &c.params)
				if err != nil {
					t.Fatal(err)
				}
				var got []int64
				for _, e := range page.Items {
					got = append(got, e.Sequence)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("List with %+v (-want +got):\n%s", c.params, diff)
				}
			})
		}
		if _, err := in.Changelog.List(ctx, &promptrails.ListChangelogParams{ListOptions: promptrails.ListOptions{Page: 1}}); !errors.Is(err, promptrails.ErrValidation) {
			t.Errorf("List with a page number: got %v, want ErrValidation", err)
		}
	})
}

// checkChain verifies entries, oldest first, from their JSON.
func checkChain(t *testing.T, workspaceID string, entries []*promptrails.ChangelogEntry) {
	t.Helper()
	sum := sha256.Sum256([]byte(workspaceID))
	prev := hex.EncodeToString(sum[:])
	for i, e := range entries {
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]jsontext.Value
		if err := json.Unmarshal(raw, &fields); err != nil {
			t.Fatal(err)
		}
		delete(fields, "hash")
		hashed, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		canonical := jsontext.Value(hashed)
		if err := canonical.Canonicalize(); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(canonical)
		if e.Sequence != int64(i+1) || e.PrevHash != prev || e.Hash != hex.EncodeToString(sum[:]) {
			t.Errorf("entry %d: got sequence %d, prev_hash %s and hash %s; want %d, %s and %s", i+1, e.Sequence, e.PrevHash, e.Hash, i+1, prev, hex.EncodeToString(sum[:]))
		}
		prev = e.Hash
	}
}
