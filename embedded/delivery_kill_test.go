package embedded_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

const (
	deliverVariable = "PROMPTRAILS_TEST_DELIVER"
	tokenVariable   = "PROMPTRAILS_TEST_TOKEN"
	placeVariable   = "PROMPTRAILS_TEST_WORKSPACE"
)

// workUntilKilled makes approvals, each of which is told, in a process of its
// own.
func workUntilKilled(file string) int {
	ctx := context.Background()
	work := func() error {
		service, err := embedded.Open(ctx, embedded.Config{DSN: file, AllowLoopbackWebhooks: true})
		if err != nil {
			return err
		}
		client, err := service.Client(promptrails.WithAccessToken(os.Getenv(tokenVariable)), promptrails.WithWorkspace(os.Getenv(placeVariable)))
		for err == nil {
			_, err = client.Resources.Create(ctx, promptrails.KindApprovals, map[string]any{"name": "approval"})
		}
		return err
	}
	fmt.Fprintln(os.Stderr, work())
	return 1
}

// A process that is killed while it delivers loses nothing that it has
// committed, and has told of nothing that it has not. Something may come twice,
// with the same webhook-id.
func TestDeliveriesSurviveAKill(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := embedded.Config{DSN: filepath.Join(t.TempDir(), "workspaces.db"), AllowLoopbackWebhooks: true, DefaultPlan: promptrails.PlanEnterprise}
	hook := newReceiver(t, nil)
	var ada *person
	var channels []string
	secrets := map[string]string{}
	t.Run("before", func(t *testing.T) {
		ada = newServer(t, cfg).owner("ada@example.com", "research")
		for range 3 {
			channel, secret := ada.channel(hook.url, `"events":["execution.awaiting_approval"]`)
			channels, secrets[channel] = append(channels, channel), secret
		}
	})
	told := map[string]map[string]bool{} // the webhook-ids that told of an approval
	hear := func(r *received) {
		var event *promptrails.Event
		for _, secret := range secrets {
			if event == nil {
				event, _ = promptrails.ParseWebhook(r.header, r.body, promptrails.NewSecret(secret))
			}
		}
		data, ok := event.Data.(*promptrails.ExecutionEvent)
		if !ok {
			t.Fatalf("%s came", r.body)
		}
		if told[data.ApprovalID] == nil {
			told[data.ApprovalID] = map[string]bool{}
		}
		told[data.ApprovalID][event.ID] = true
	}
	for range 3 { // kills
		process := exec.CommandContext(t.Context(), self)
		process.Env = append(os.Environ(), deliverVariable+"="+cfg.DSN, tokenVariable+"="+ada.user.AccessToken.Reveal(), placeVariable+"="+ada.workspace)
		process.Stderr = os.Stderr
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			hear(hook.next())
		}
		if err := process.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := process.Wait(); err == nil {
			t.Error("the process was done before it was killed")
		}
	}
	t.Run("after", func(t *testing.T) {
		again := *ada
		again.s = newServer(t, cfg)
		for _, channel := range channels {
			again.deliveries(channel, func([]promptrails.Delivery) bool {
				for len(hook.came) > 0 {
					hear(hook.next())
				}
				pending, _ := again.do("GET", "/notification-channels/"+channel+"/deliveries?status=pending", "").listed()
				return len(pending) == 0
			})
		}
		for len(hook.came) > 0 {
			hear(hook.next())
		}
		committed := 0
		for after := ""; ; {
			var page struct {
				Data []struct{ ID string }
				Meta struct {
					NextCursor string `json:"next_cursor"`
				}
			}
			again.do("GET", "/approvals?limit=100&after="+after, "").expect(200).decode(&page)
			for _, approval := range page.Data {
				if ids := told[approval.ID]; len(ids) != len(channels) {
					t.Errorf("%d of %d channels were told of %s", len(ids), len(channels), approval.ID)
				}
				delete(told, approval.ID)
				committed++
			}
			if after = page.Meta.NextCursor; after == "" {
				break
			}
		}
		if len(told) != 0 || committed < 10 {
			t.Errorf("of %d approvals that were never committed it was told; %d were", len(told), committed)
		}
	})
}
