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
			t.Errorf("Create: token is zero: %t, want false (-want +got):\n%s", made.Token.IsZero(), diff)
		}
		got, err := in.Invitations.Get(ctx, made.ID)
		if err != nil || !got.Token.IsZero() {
			t.Errorf("Get: got %+v, %v; want no token", got, err)
		}
		if _, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "GRACE@example.com", Role: promptrails.RoleUser}); codeOf(err) != promptrails.CodeAlreadyInvited {
			t.Errorf("Create of a second invitation: got %v, want the code already_invited", err)
		}

		again, err := in.Invitations.Resend(ctx, made.ID)
		if err != nil || again.Token.IsZero() || again.Token.Equal(made.Token) || again.Version != 2 || !again.ExpiresAt.After(made.ExpiresAt) {
			t.Errorf("Resend: got %+v, %v; want version 2 with a new token and a later expiry", again, err)
		}
		if _, err := grace.Invitations.Accept(ctx, made.Token); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("Accept with the previous token: got %v, want ErrNotFound", err)
		}
		if _, err := ada.Invitations.Accept(ctx, again.Token); !errors.Is(err, promptrails.ErrNotFound) {
			t.Errorf("Accept by another user: got %v, want ErrNotFound", err)
		}
		member, err := grace.Invitations.Accept(ctx, again.Token)
		if err != nil || member.Role != promptrails.RoleAdmin || member.Email != "Grace@Example.com" {
			t.Fatalf("Accept: got %+v, %v; want the admin Grace@Example.com", member, err)
		}
		if _, err := grace.Invitations.Accept(ctx, again.Token); codeOf(err) != promptrails.CodeAlreadyMember {
			t.Errorf("second Accept: got %v, want the code already_member", err)
		}
		if _, err := in.Invitations.Resend(ctx, made.ID); codeOf(err) != "invalid_state" {
			t.Errorf("Resend of an accepted invitation: got %v, want the code invalid_state", err)
		}
		if _, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser}); codeOf(err) != promptrails.CodeAlreadyMember {
			t.Errorf("Create for a member: got %v, want the code already_member", err)
		}

		joan, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "joan@example.com", Role: promptrails.RoleUser})
		if err != nil {
			t.Fatal(err)
		}
		if err := in.Invitations.Revoke(ctx, joan.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := p.person("joan@example.com", "Joan").Invitations.Accept(ctx, joan.Token); codeOf(err) != promptrails.CodeInvitationRevoked || !errors.Is(err, promptrails.ErrGone) {
			t.Errorf("Accept of a revoked invitation: got %v, want ErrGone with the code invitation_revoked", err)
		}
		page, err := in.Invitations.List(ctx, &promptrails.ListInvitationsParams{Status: promptrails.InvitationRevoked})
		if err != nil || len(page.Items) != 1 || page.Items[0].ID != joan.ID {
			t.Errorf("List of revoked invitations: got %+v, %v; want only %s", page, err, joan.ID)
		}
		n := 0
		for _, err := range in.Invitations.All(ctx, nil) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
		if n != 2 {
			t.Errorf("All: got %d invitations, want 2", n)
		}
	})
}

// clock is a clock that a test advances.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(c.offset.Load()))
}
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }

func TestSeats(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	var c clock
	p := newPlatform(t, embedded.Config{Now: c.now}) // the plan free has 1 seat
	p2 := newPlatform(t, embedded.Config{Now: c.now, DefaultPlan: promptrails.PlanStarter})

	in, _ := newWorkspace(t, p.person("ada@example.com", "Ada"), "free")
	_, err := in.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: "grace@example.com", Role: promptrails.RoleUser})
	quota, ok := errors.AsType[*promptrails.QuotaError](err)
	if !ok || quota.Limit != promptrails.LimitTeamMembers || quota.Max != 1 || quota.Used != 1 || quota.Plan != promptrails.PlanFree {
		t.Errorf("Create on the plan free: got %v, want a *QuotaError with 1 of 1 members used", err)
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
		t.Errorf("Create for the sixth of 5 seats: got %v, want ErrQuotaExceeded", err)
	}

	c.advance(7*24*time.Hour - time.Microsecond)
	if _, err := invite("5@example.com"); !errors.Is(err, promptrails.ErrQuotaExceeded) {
		t.Errorf("Create just before the invitations expire: got %v, want ErrQuotaExceeded", err)
	}
	c.advance(time.Microsecond)
	got := must[*promptrails.Invitation](t)(in.Invitations.Get(ctx, first.ID))
	if got.Status != promptrails.InvitationExpired {
		t.Errorf("Get at expires_at: got status %s, want expired", got.Status)
	}
	expired := must[*promptrails.Page[promptrails.Invitation]](t)(in.Invitations.List(ctx, &promptrails.ListInvitationsParams{Status: promptrails.InvitationExpired}))
	if expired.Meta.Total != 4 {
		t.Errorf("List of expired invitations: got a total of %d, want 4", expired.Meta.Total)
	}
	one := p2.person("1@example.com", "")
	if _, err := one.Invitations.Accept(ctx, first.Token); codeOf(err) != promptrails.CodeInvitationExpired {
		t.Errorf("Accept of an expired invitation: got %v, want the code invitation_expired", err)
	}
	for _, email := range []string{"5@example.com", "6@example.com", "7@example.com", "8@example.com"} {
		must[*promptrails.Invitation](t)(invite(email))
	}
	if _, err := in.Invitations.Resend(ctx, first.ID); !errors.Is(err, promptrails.ErrQuotaExceeded) {
		t.Errorf("Resend of an expired invitation without a free seat: got %v, want ErrQuotaExceeded", err)
	}
}
