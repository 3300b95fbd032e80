package embedded_test

import (
	"bytes"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// releases are the databases in testdata/release: the schema, a workspace, the token of
// its owner, the key of its bot if the program had keys, and the head of its changelog.
var releases = map[string]struct {
	schema                int
	workspace, token, key string
	sequence              int64
	head                  string
}{
	"schema1":   {1, "3Md75jK9RxrB78Mx5ST2n5PHuPi", "pat_ZMAFnq9jSEzUlH9HByNjumyPTx87AazkxcC8lZOpra4", "", 10, "2fccabb44a1aaf8be2d9ce70cbcf71c85cca622eab6763b97488248a69c58798"},
	"schema2":   {2, "3Md77OJkOHJRDy28ypknGSEGP7B", "pat_YKB0wJ2zSHMsFnmxTOWJkRebmxBuEsA2jbxXhMzHEh2", "", 13, "603a91d2caa85e91276e25865d5c996dc49713c8843a86789820aed4a61a8f2d"},
	"schema3":   {3, "3Md796q8IAKu8SHqUboy7RhJa6f", "pat_8dRta6x5L2ODTzL3yzoqe4gWZGRZLLAmUGh0tr2liyg", "pr_live_UZgNjDe5CLwtoveVlgsiqFxy4aEc5K6vdTdzdC7KLhb06ljFU", 16, "409a315849b8d3196384bfa5bfdd62bed6565f7178f661f66b73a132a05e30ff"},
	"schema4":   {4, "3Md7BDhANskfhMElOmZDu9MKQ8T", "pat_uDbhCGau7Tfxr9C5fOVmSx3S5MKkx57gBftnhZoF6JU", "pr_live_hwpjZ3ZDlVSUK0uMHVmnivd8DQY7cEEgXHJJ3ZHOUVV2FensD", 23, "3c19d83a0570c38de47f9023c7ff18cee6cde30e8bdea07a86498cc3750e5b59"},
	"schema5":   {5, "3Md7DX7Y1umX4DOp1flFsBmyfHA", "pat_Q4TNXUT96fAgpoyQuJ4blnXDMrGxP4MBMOxMqOHreQE", "pr_live_qlzbedAi55XtkSdlZ6pkpimShySSd5kCxhmfge1gLVU4aMfaF", 25, "fef7c854be0c29a5db8d54fbe6bd2ccb7692b0ddc42ae9439175096606d3bcc2"},
	"schema6":   {6, "3Md7FNV9CymelxhQvicEnuGCMBZ", "pat_bNdXct5x5V13KvNre1RSpyuSUst8WDvMlvLc2mlZerQ", "pr_live_tbSn7WNFvVPOXNFHJNqWMnyt3Asylkgdao3V0ubA9dK17tdzW", 27, "aacdb91fa7af339fc7bbf0cd4510b51a2c43b495ce4e3493fcc2c87deac5a59c"},
	"schema7":   {7, "3Md7IU7BC8agi3KPC14MlzjYs8j", "pat_gXp8ZrM24xh6Mjd1vOzrigK2hMvKwlYH1026j9bwNHo", "pr_live_1GrPe2jY3U8dmmRJSoD1gBR2qMeEuFHAXQpFpBkzvfX4dpXfn", 29, "763da91443d5373a15b8a274a8bec874787a82ebf793c3c9194a58df057ac982"},
	"schema9":   {9, "3Md7KKKzOLSskWwNLyzdrCW6UlN", "pat_vfry0YPVyNrwzqrc2VrQC3f5fymi0h6WPJeeJRAOvi6", "pr_live_CBKVblLncaJ41JDjk26L4K3HKSockMQwB00ZvtRN0iL2fDDYs", 29, "6fbdc8ae6c03722493b2d38a76fc5b6dfdbd23116013811cf33639f8a3eda00a"},
	"schema10":  {10, "3McQsSHsFeYnsJ953eO5ko672He", "pat_yI98pzQnZpASbEMYRDOgRleEmXCD1fOaJ7wqNOFNDaI", "pr_live_yWfeZCtHyaZbgJGzfNGk7Q4JHNmgGBDQurumP9UaXf748NEXg", 11, "094201bc89b3ebf496389e0e98c73e508421312c6bf485d622c6ac5409e6888b"},
	"schema10b": {10, "3Md7KhNjVS6FtuwX6OzRaJCMbWK", "pat_1bQs8Ehw6BWLWE8C7orAok57OhhmszqCFNXaQynTYUU", "pr_live_11fzaD9eNW5nc745Gd2XxjynyfLlOMxSsqSyGE1pMNp1ytQ7D", 29, "ee10f5fda142525fca529c7c3a8da7065831c4c69a82e7ae4c678505a8cbc0d6"},
	"schema11":  {11, "3Md7NzOKZYvrqs5TDN04kKdgBax", "pat_waqGOhqKnSDZQMJ5oqI7iJuV0aLlhY2LPpYvbgeODJo", "pr_live_CQ9m4cuna7kODTgKLmzb7jXiTnaeOFgnuXKH378TJaz0wVGhz", 29, "78485d991f50c7685592a57bc260420b1a123eec50ad113eee6c64c37f0b8844"},
}

// newestSchema is the schema of this program's databases.
func newestSchema(t *testing.T) (version int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	if err := open(t, embedded.Config{DSN: file}); err != nil {
		t.Fatal(err)
	}
	return schemaOf(t, file)
}

// schemaOf returns the version of the schema of a file.
func schemaOf(t *testing.T, file string) (version int) {
	t.Helper()
	db := must[*sql.DB](t)(sql.Open("sqlite", file))
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(t.Context(), "SELECT max(version_id) FROM schema_versions").Scan(&version); err != nil {
		t.Fatal(err)
	}
	return version
}

// A database that the program of any earlier schema has written is migrated, with an
// advice in the log. A check finds no problem, and its owner and bot can use it.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	newest := newestSchema(t)
	files := must[[]string](t)(filepath.Glob(filepath.Join("testdata", "release", "*.gz")))
	if len(files) != len(releases) {
		t.Errorf("databases in testdata/release: got %d, want %d, as in releases", len(files), len(releases))
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".gz")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			release, ok := releases[name]
			if !ok {
				t.Fatalf("releases: got no entry %s, want one", name)
			}
			var log bytes.Buffer
			service := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{
				DSN: extract(t, name), DefaultPlan: promptrails.PlanEnterprise, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			}))
			t.Cleanup(func() {
				if err := service.Close(); err != nil {
					t.Error(err)
				}
			})
			advice := fmt.Sprintf("a backup of it\" from=%d to=%d\n", release.schema, newest)
			if advised := strings.Contains(log.String(), advice); advised != (release.schema < newest) || advised && !strings.Contains(log.String(), "level=WARN") {
				t.Errorf("log: got %s, want a warning that contains %s if the schema is old", log.String(), advice)
			}
			report, err := service.Check(t.Context(), nil)
			if err != nil || len(report.Problems) > 0 || report.Workspaces == 0 || report.Entries < release.sequence {
				t.Errorf("Check: got %+v, %v, want workspaces with %d entries or more, and no problems", report, err, release.sequence)
			}
			ada := must[*promptrails.Client](t)(service.Client(promptrails.WithAccessToken(release.token), promptrails.WithWorkspace(release.workspace)))
			if head := must[*promptrails.ChangelogHead](t)(ada.Changelog.Head(t.Context())); head.Sequence != release.sequence || head.Hash != release.head {
				t.Errorf("head of the changelog: got %d %s, want %d %s", head.Sequence, head.Hash, release.sequence, release.head)
			}
			if release.key != "" {
				bot := must[*promptrails.Client](t)(service.Client(promptrails.WithAPIKey(release.key)))
				must[*promptrails.Page[promptrails.Member]](t)(bot.Members.List(t.Context(), nil))
			}
			must[*promptrails.Credential](t)(ada.Credentials.Create(t.Context(), &promptrails.CreateCredentialParams{Name: "New", Type: "openai", Value: promptrails.NewSecret("sk-new-value-0123456789")}))
			if found := checked(t, service); len(found) > 0 {
				t.Errorf("Check after a change: got %q, want no problems", found)
			}
		})
	}
}

// A migration that fails leaves the schema before it, with all rows. After the cause is
// removed, the database is migrated.
func TestFailedMigration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ obstacle, remedy, want string }{
		"a table of the same name": {"CREATE TABLE user_workspaces (a)", "DROP TABLE user_workspaces", "user_workspaces already exists"},
		"an invalid view":          {"CREATE VIEW v AS SELECT gone FROM workspaces", "DROP VIEW v", "error in view v"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := extract(t, "schema10b")
			execute(t, file, c.obstacle)
			before := dump(t, file)
			if err := open(t, embedded.Config{DSN: file}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("Open: got %v, want an error that contains %q", err, c.want)
			}
			if version := schemaOf(t, file); version != 10 {
				t.Errorf("schema after a failed migration: got %d, want 10", version)
			}
			if after := dump(t, file); after != before {
				t.Errorf("database after a failed migration: got\n%s\nwant it unchanged\n%s", after, before)
			}
			execute(t, file, c.remedy)
			s := must[*embedded.Service](t)(embedded.Open(t.Context(), embedded.Config{DSN: file}))
			t.Cleanup(func() { _ = s.Close() })
			if found := checked(t, s); len(found) > 0 {
				t.Errorf("Check: got %q, want no problems", found)
			}
		})
	}
}

// dump returns the schema of a file and the number of the rows in each table.
func dump(t *testing.T, file string) string {
	t.Helper()
	db := must[*sql.DB](t)(sql.Open("sqlite", file))
	defer func() { _ = db.Close() }()
	rows := must[*sql.Rows](t)(db.QueryContext(t.Context(), "SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name"))
	defer func() { _ = rows.Close() }()
	var lines []string
	var tables []string
	for rows.Next() {
		var kind, name, text string
		if err := rows.Scan(&kind, &name, &text); err != nil {
			t.Fatal(err)
		}
		if kind == "table" {
			tables = append(tables, name)
		}
		lines = append(lines, kind+" "+name+" "+text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for _, name := range tables {
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM "+name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprint(name, " ", n))
	}
	return strings.Join(lines, "\n")
}
