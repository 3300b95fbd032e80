package embedded_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

const resealVariable = "PROMPTRAILS_TEST_RESEAL"

var killKeys = [2][]byte{bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)}

// resealAndExit reseals a file from the first master key to the second, and
// returns the exit status of the process.
func resealAndExit(file string) int {
	ctx := context.Background()
	service, err := embedded.Open(ctx, embedded.Config{DSN: file, MasterKey: killKeys[1], PreviousMasterKeys: killKeys[:1]})
	if err == nil {
		err = service.Reseal(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// If a process is killed during Reseal, the file still opens and every value can
// be read. The next Reseal completes the work.
func TestResealSurvivesKill(t *testing.T) {
	t.Parallel()
	const credentials = 450 // more than two batches
	file := filepath.Join(t.TempDir(), "workspaces.db")
	values := map[string]string{}
	var ada *person
	t.Run("before", func(t *testing.T) {
		ada = newServer(t, embedded.Config{DSN: file, MasterKey: killKeys[0]}).owner("ada@example.com", "research")
		for i := range credentials {
			value := fmt.Sprintf("sk-value-%d", i)
			values[ada.credential(value)] = value
		}
	})
	killDuringReseal(t, file)
	if err := open(t, embedded.Config{DSN: file, MasterKey: killKeys[1]}); err == nil {
		t.Error("Open with the new key only: got no error, want one because values still need the old key")
	}
	for _, reseal := range []bool{true, false} {
		t.Run(fmt.Sprintf("after, reseal %t", reseal), func(t *testing.T) {
			var opened string
			cfg := embedded.Config{
				DSN: file, MasterKey: killKeys[1],
				CheckCredential: func(_ context.Context, _ *promptrails.Credential, value promptrails.Secret) (*promptrails.CredentialCheck, error) {
					opened = value.Reveal()
					return &promptrails.CredentialCheck{}, nil
				},
			}
			if reseal {
				cfg.PreviousMasterKeys = killKeys[:1]
			}
			s := newServer(t, cfg)
			again := *ada
			again.s = s
			for id, value := range values {
				again.do("POST", "/credentials/"+id+"/check", "").expect(200)
				if opened != value {
					t.Fatalf("value of credential %s: got %q, want %q", id, opened, value)
				}
			}
			if !reseal {
				return
			}
			if err := s.Reseal(t.Context()); err != nil {
				t.Errorf("Reseal: got %v, want no error", err)
			}
		})
	}
}

// killDuringReseal starts a process that reseals a file, and kills it after the
// first batch and before the second is committed. A trigger blocks the process
// there.
func killDuringReseal(t *testing.T, file string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const moved = "(SELECT count(*) FROM credentials WHERE substr(value, 1, 9) <> (SELECT substr(value, 1, 9) FROM settings WHERE name = 'master_key'))"
	run := func(statement string) {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	run("CREATE TRIGGER hold AFTER UPDATE ON credentials WHEN " + moved + " > 300 BEGIN SELECT count(*) FROM credentials a, credentials b, credentials c, credentials d; END")

	process := exec.CommandContext(t.Context(), self)
	process.Env = append(os.Environ(), resealVariable+"="+file)
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- process.Wait() }()
	for n := 0; n == 0; {
		select {
		case err := <-exited:
			t.Fatalf("the process exited before it was killed: got %v, want it running", err)
		default:
		}
		if err := db.QueryRowContext(t.Context(), "SELECT "+moved).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	if err := process.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-exited; err == nil {
		t.Error("the process exited without an error, want it killed during Reseal")
	}
	run("DROP TRIGGER hold")
}
