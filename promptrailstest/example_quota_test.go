package promptrailstest_test

import (
	"context"
	"errors"
	"fmt"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// onboard is the program under test. It invites a new colleague.
func onboard(ctx context.Context, client *promptrails.Client, email string) string {
	_, err := client.Invitations.Create(ctx, &promptrails.CreateInvitationParams{Email: email, Role: promptrails.RoleUser})
	if quota, ok := errors.AsType[*promptrails.QuotaError](err); ok {
		return fmt.Sprintf("not invited: the plan %s allows %d %s; ask the owner for a larger plan", quota.Plan, quota.Max, quota.Limit)
	}
	if err != nil {
		return "not invited: " + err.Error()
	}
	return "invited"
}

// The quota is reached: the free plan has one seat, the owner's.
func ExampleWithPlan() {
	t := newT() // your test has a *testing.T
	defer t.done()
	s := promptrailstest.New(t, promptrailstest.WithPlan(promptrails.PlanFree))
	client := s.Client()

	fmt.Println(onboard(t.Context(), client, "grace@example.com"))
	if _, err := s.Owner.Billing.ChangePlan(t.Context(), promptrails.PlanStarter); err != nil {
		t.Fatal(err)
	}
	fmt.Println(onboard(t.Context(), client, "grace@example.com"))
	// Output:
	// not invited: the plan free allows 1 team_members; ask the owner for a larger plan
	// invited
}
