package promptrails_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

func TestInvitations(t *testing.T) {
	fixture(t, func(t *testing.T, p *platform) {
		ctx := t.Context()
		ada, grace := p.person("ada@example.com", "Ada"), p.person("Grace@Example.com", "Grace")
		in, w := newWorkspace(t, ada, "research")
		me, err := ada.Me(ctx)
		if err != nil {
			t.Fatal(err)
		}

		made, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleAdmin})
		if err != nil {
			t.Fatal(err)
		}
		want := &promptrails.Invitation{
			ID: made.ID, WorkspaceID: w.ID, Email: "grace@example.com", Role: promptrails.RoleAdmin, Status: promptrails.InvitationPending,
			InvitedBy: me.ID, ExpiresAt: made.CreatedAt.Add(7 * 24 * time.Hour), Version: 1, CreatedAt: made.CreatedAt, Token: made.Token,
		}
		if diff := cmp.Diff(want, made, cmp.Comparer(promptrails.Secret.Equal)); diff != "" || made.Token.IsZero() {
			t.Errorf("Create (-want +got):\n%s", diff)
		}
		got, err := in.Invitations.Get(ctx, made.ID)
		if err != nil || !got.Token.IsZero() {
			t.Errorf("Get = %+v, %v; want no token", got, err)
		}
		if _, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "GRACE@example.com", Role: promptrails.RoleUser}); codeOf(err) != promptrails.CodeAlreadyInvited {
			t.Errorf("a second invitation = %v", err)
		}

		again, err := in.Invitations.Resend(ctx, made.ID)
		if err != nil || again.Token.IsZero() || again.Token.Equal(made.Token) || again.Version != 2 || !again.ExpiresAt.After(made.ExpiresAt) {
			t.Errorf("Resend = %+v, %v", again, err)
		}
		if _, err := grace.Invitations.Accept(ctx, made.Token); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("the earlier token = %v", err)
		}
		if _, err := ada.Invitations.Accept(ctx, again.Token); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("a token for somebody else's address = %v", err)
		}
		member, err := grace.Invitations.Accept(ctx, again.Token)
		if err != nil || member.Role != promptrails.RoleAdmin || member.Email != "Grace@Example.com" {
			t.Fatalf("Accept = %+v, %v", member, err)
		}
		if _, err := grace.Invitations.Accept(ctx, again.Token); codeOf(err) != promptrails.CodeAlreadyMember {
			t.Errorf("accepting twice = %v", err)
		}
		if _, err := in.Invitations.Resend(ctx, made.ID); codeOf(err) != "invalid_state" {
			t.Errorf("resending an accepted one = %v", err)
		}
		if _, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser}); codeOf(err) != promptrails.CodeAlreadyMember {
			t.Errorf("inviting a member = %v", err)
		}

		joan, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "joan@example.com", Role: promptrails.RoleUser})
		if err != nil {
			t.Fatal(err)
		}
		if err := in.Invitations.Revoke(ctx, joan.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := p.person("joan@example.com", "Joan").Invitations.Accept(ctx, joan.Token); codeOf(err) != promptrails.CodeInvitationRevoked || !errors.Is(err, promptrails.ErrGone) {
			t.Errorf("accepting a revoked one = %v", err)
		}
		page, err := in.Invitations.List(ctx, &promptrails.ListInvitationsParams{Status: promptrails.InvitationRevoked})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != joan.ID {
			t.Errorf("the revoked ones = %+v, %v", page, err)
		}
		n := 0
		for _, err := range in.Invitations.All(ctx, nil) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("All yields %d, want 2", n)
		}
	})
}

// clock is a clock that a test moves.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}
func (c *clock) forward(d time.Duration) { c.offset.Add(int64(d)) }

func TestSeats(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var c clock
	p := newPlatform(t, embedded.Config{Now: c.now}) // the plan free has one seat
	p2 := newPlatform(t, embedded.Config{Now: c.now, DefaultPlan: promptrails.PlanStarter})

	in, _ := newWorkspace(t, p.person("ada@example.com", "Ada"), "free")
	_, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser})
	quota, ok := errors.AsType[*promptrails.QuotaError](err)
	if !ok || quota.Limit != promptrails.LimitTeamMembers || quota.Max != 1 || quota.Used != 1 || quota.Plan != promptrails.PlanFree {
		t.Errorf("the plan free: %v", err)
	}

	in, _ = newWorkspace(t, p2.person("ada@example.com", "Ada"), "starter")
	invite := func(email string) (*promptrails.Invitation, error) {
		return in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: email, Role: promptrails.RoleUser})
	}
	first := must[*promptrails.Invitation](t)(invite("1@example.com"))
	for _, email := range []string{"2@example.com", "3@example.com", "4@example.com"} {
		must[*promptrails.Invitation](t)(invite(email))
	}
	if _, err := invite("5@example.com"); !errors.Is(err, promptrails.ErrQuotaExceeded) {
		t.Errorf("a sixth seat of five: %v", err)
	}

	c.forward(7*24*time.Hour - time.Microsecond)
	if _, err := invite("5@example.com"); !errors.Is(err, promptrails.ErrQuotaExceeded) {
		t.Errorf("a moment before the invitations expire: %v", err)
	}
	c.forward(time.Microsecond)
	got := must[*promptrails.Invitation](t)(in.Invitations.Get(ctx, first.ID))
	if got.Status != promptrails.InvitationExpired {
		t.Errorf("at expires_at an invitation is %s", got.Status)
	}
	expired := must[*promptrails.Page[promptrails.Invitation]](t)(in.Invitations.List(ctx, &promptrails.ListInvitationsParams{Status: promptrails.InvitationExpired}))
	if expired.Meta.Total != 4 {
		t.Errorf("expired: %d, want 4", expired.Meta.Total)
	}
	one := p2.person("1@example.com", "")
	if _, err := one.Invitations.Accept(ctx, first.Token); codeOf(err) != promptrails.CodeInvitationExpired {
		t.Errorf("accepting an expired one: %v", err)
	}
	for _, email := range []string{"5@example.com", "6@example.com", "7@example.com", "8@example.com"} {
		must[*promptrails.Invitation](t)(invite(email))
	}
	if _, err := in.Invitations.Resend(ctx, first.ID); !errors.Is(err, promptrails.ErrQuotaExceeded) {
		t.Errorf("resending an expired one takes a seat: %v", err)
	}
}
