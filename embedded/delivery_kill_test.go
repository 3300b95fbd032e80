package embedded_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

const (
	deliverVariable   = "PROMPTRAILS_TEST_DELIVER"
	tokenVariable     = "PROMPTRAILS_TEST_TOKEN"
	workspaceVariable = "PROMPTRAILS_TEST_WORKSPACE"
	aheadVariable     = "PROMPTRAILS_TEST_AHEAD"
)

// ahead returns a clock that is ahead of the time, so that a test does not wait until
// the claims of a killed process expire.
func ahead(by time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(by) }
}

// workUntilKilled creates approvals, each with a notification, until the process
// is killed. It runs in a separate process.
func workUntilKilled(file string) int {
	ctx := context.Background()
	work := func() error {
		by, err := time.ParseDuration(os.Getenv(aheadVariable))
		if err != nil {
			return err
		}
		service, err := embedded.Open(ctx, embedded.Config{DSN: file, MasterKey: make([]byte, 32), AllowLoopbackWebhooks: true, Now: ahead(by)})
		if err != nil {
			return err
		}
		client, err := service.Client(promptrails.WithAccessToken(os.Getenv(tokenVariable)), promptrails.WithWorkspace(os.Getenv(workspaceVariable)))
		for err == nil {
			_, err = client.Resources.Create(ctx, promptrails.KindApprovals, map[string]any{"name": "approval"})
		}
		return err
	}
	fmt.Fprintln(os.Stderr, work())
	return 1
}

// If the process is killed during deliveries, each committed change is still
// delivered, and no uncommitted one. A delivery may arrive twice, with the same
// webhook-id.
func TestDeliveriesSurviveKill(t *testing.T) {
	t.Parallel()
	shared(t, deliveriesSurviveKill)
}

func deliveriesSurviveKill(t *testing.T, cfg embedded.Config) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg.MasterKey, cfg.AllowLoopbackWebhooks, cfg.DefaultPlan = make([]byte, 32), true, promptrails.PlanEnterprise
	hook := newReceiver(t, nil)
	var ada *person
	var channels []string
	secrets := map[string]string{}
	t.Run("setup", func(t *testing.T) {
		ada = newServer(t, cfg).owner("ada@example.com", "research")
		for range 3 {
			channel, secret := ada.channel(hook.url, `"events":["execution.awaiting_approval"]`)
			channels, secrets[channel] = append(channels, channel), secret
		}
	})
	delivered := map[string]map[string]bool{} // the webhook-ids by approval
	record := func(r *received) {
		var event *promptrails.Event
		for _, secret := range secrets {
			if event == nil {
				event, _ = promptrails.ParseWebhook(r.header, r.body, promptrails.NewSecret(secret))
			}
		}
		data, ok := event.Data.(*promptrails.ExecutionEvent)
		if !ok {
			t.Fatalf("request: got %s, want a signed execution event", r.body)
		}
		if delivered[data.ApprovalID] == nil {
			delivered[data.ApprovalID] = map[string]bool{}
		}
		delivered[data.ApprovalID][event.ID] = true
	}
	for kill := range 3 {
		process := exec.CommandContext(t.Context(), self)
		process.Env = append(os.Environ(), deliverVariable+"="+cfg.DSN, tokenVariable+"="+ada.user.AccessToken.Reveal(), workspaceVariable+"="+ada.workspace, aheadVariable+"="+(time.Duration(kill)*time.Minute).String())
		process.Stderr = os.Stderr
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
		for range 40 {
			record(hook.next())
		}
		if err := process.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := process.Wait(); err == nil {
			t.Error("process: got an exit before it was killed, want it to run until then")
		}
	}
	t.Run("restart", func(t *testing.T) {
		again := *ada
		cfg.Now = ahead(3 * time.Minute)
		again.s = newServer(t, cfg)
		for _, channel := range channels {
			again.deliveries(channel, func([]promptrails.Delivery) bool {
				for len(hook.came) > 0 {
					record(hook.next())
				}
				pending, _ := again.do("GET", "/notification-channels/"+channel+"/deliveries?status=pending", "").listed()
				return len(pending) == 0
			})
		}
		for len(hook.came) > 0 {
			record(hook.next())
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
				if ids := delivered[approval.ID]; len(ids) != len(channels) {
					t.Errorf("approval %s: got deliveries over %d channels, want %d", approval.ID, len(ids), len(channels))
				}
				delete(delivered, approval.ID)
				committed++
			}
			if after = page.Meta.NextCursor; after == "" {
				break
			}
		}
		if len(delivered) != 0 || committed < 10 {
			t.Errorf("got deliveries of %d uncommitted approvals and %d committed ones, want 0 and at least 10", len(delivered), committed)
		}
	})
}
