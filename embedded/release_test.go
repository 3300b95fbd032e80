package embedded_test

import (
	"compress/gzip"
	"context"
	"database/sql"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// A database that an earlier release has written opens with everything in it: rows,
// encrypted values, hashes of keys and tokens, and the chain of the changelog.
func TestDatabasesOfEarlierReleases(t *testing.T) {
	t.Parallel()
	for _, release := range []struct {
		name, workspace, token, key, head string
	}{
		{
			"schema10", "3McQsSHsFeYnsJ953eO5ko672He", "pat_yI98pzQnZpASbEMYRDOgRleEmXCD1fOaJ7wqNOFNDaI",
			"pr_live_yWfeZCtHyaZbgJGzfNGk7Q4JHNmgGBDQurumP9UaXf748NEXg", "094201bc89b3ebf496389e0e98c73e508421312c6bf485d622c6ac5409e6888b",
		},
	} {
		t.Run(release.name, func(t *testing.T) {
			t.Parallel()
			var seen promptrails.Secret
			file := extract(t, release.name)
			service := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{
				DSN: file, AllowLoopbackWebhooks: true,
				CheckCredential: func(_ context.Context, _ *promptrails.Credential, value promptrails.Secret) (*promptrails.CredentialCheck, error) {
					seen = value
					return &promptrails.CredentialCheck{IsValid: new(true)}, nil
				},
			}))
			t.Cleanup(func() {
				if err := service.Close(); err != nil {
					t.Error(err)
				}
			})
			checkDatabase(t, file)
			ada := must[*promptrails.Client](t)(service.Client(promptrails.WithAccessToken(release.token), promptrails.WithWorkspace(release.workspace)))
			bot := must[*promptrails.Client](t)(service.Client(promptrails.WithAPIKey(release.key)))

			head := must[*promptrails.ChangelogHead](t)(promptrails.VerifyChangelog(ada.Changelog.All(t.Context(), &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}), nil))
			if head.Sequence != 11 || head.Hash != release.head {
				t.Errorf("VerifyChangelog: got %d %s, want 11 %s", head.Sequence, head.Hash, release.head)
			}
			members := must[*promptrails.Page[promptrails.Member]](t)(bot.Members.List(t.Context(), nil))
			credentials := must[*promptrails.Page[promptrails.Credential]](t)(bot.Credentials.List(t.Context(), nil))
			agents := must[*promptrails.Page[promptrails.Resource]](t)(bot.Resources.List(t.Context(), promptrails.KindAgents, nil))
			channels := must[*promptrails.Page[promptrails.Channel]](t)(ada.Notifications.ListChannels(t.Context(), nil))
			if got := []int{len(members.Items), len(credentials.Items), len(agents.Items), len(channels.Items)}; !slices.Equal(got, []int{2, 1, 1, 1}) {
				t.Fatalf("members, credentials, agents and channels: got %v, want 2, 1, 1 and 1", got)
			}
			must[*promptrails.CredentialCheck](t)(ada.Credentials.CheckConnection(t.Context(), credentials.Items[0].ID))
			if want := promptrails.NewSecret("sk-release-value-0123456789"); !seen.Equal(want) {
				t.Error("the value of the credential: got another one than was stored")
			}
			balance := must[*promptrails.Balance](t)(ada.Billing.Balance(t.Context()))
			if balance.AvailableMicros != 9_998_968 {
				t.Errorf("balance: got %d micros, want 9 998 968", balance.AvailableMicros)
			}
			must[*promptrails.Credential](t)(ada.Credentials.Create(t.Context(), &promptrails.CreateCredentialParams{Name: "New", Type: "openai", Value: promptrails.NewSecret("sk-new-value-0123456789")}))
		})
	}
}

// checkDatabase checks the references and the pages of a file.
func checkDatabase(t *testing.T, file string) {
	t.Helper()
	db := must[*sql.DB](t)(sql.Open("sqlite", file))
	defer func() { _ = db.Close() }()
	var references int
	var pages string
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM pragma_foreign_key_check").Scan(&references); err != nil || references != 0 {
		t.Errorf("foreign keys without a row: got %d, %v, want 0", references, err)
	}
	if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&pages); err != nil || pages != "ok" {
		t.Errorf("integrity check: got %s, %v, want ok", pages, err)
	}
}

// extract copies a database of an earlier release and its key file to a folder.
func extract(t *testing.T, name string) string {
	t.Helper()
	packed := must[*os.File](t)(os.Open(filepath.Join("testdata", "release", name+".gz")))
	defer func() { _ = packed.Close() }()
	text := must[[]byte](t)(io.ReadAll(must[*gzip.Reader](t)(gzip.NewReader(packed))))
	key := must[[]byte](t)(os.ReadFile(filepath.Join("testdata", "release", name+".key")))
	file := filepath.Join(t.TempDir(), "workspaces.db")
	for path, content := range map[string][]byte{file: text, file + ".key": key} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}
