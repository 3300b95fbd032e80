package benchmarks

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// BenchmarkDeliveries measures the time from a change to its event at 8 receivers.
// The floor posts the same bodies in sequence, without a database.
func BenchmarkDeliveries(b *testing.B) {
	const channels = 8
	received := make(chan struct{}, 1000)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
		received <- struct{}{}
	}))
	defer receiver.Close()
	body := bytes.Repeat([]byte("x"), 300)
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			for range channels {
				resp, err := receiver.Client().Post(receiver.URL, "application/json", bytes.NewReader(body)) //nolint:noctx // the floor
				if err != nil {
					b.Fatal(err)
				}
				_ = resp.Body.Close()
				<-received
			}
		}
	})
	for _, name := range []string{"memory", "file"} {
		b.Run(name, func(b *testing.B) {
			dsn := ""
			if name == "file" {
				dsn = filepath.Join(b.TempDir(), "workspaces.db")
			}
			ada, _ := owner(b, embedded.Config{DSN: dsn, DefaultPlan: promptrails.PlanEnterprise, AllowLoopbackWebhooks: true})
			for range channels {
				if _, err := ada.Notifications.CreateChannel(b.Context(), &promptrails.CreateChannelParams{Name: "n", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret(receiver.URL)}); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if _, err := ada.Resources.Create(b.Context(), promptrails.KindApprovals, map[string]any{"name": "n"}); err != nil {
					b.Fatal(err)
				}
				for range channels {
					<-received
				}
			}
		})
	}
}
