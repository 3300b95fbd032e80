package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m, main) }

func TestProcess(t *testing.T) {
	t.Parallel()
	processtest.CheckUsage(t, "-overlap", "environment")
	p := processtest.Start(t, t.TempDir(), nil, "-overlap", "1h")
	p.Until(t, "workers use the key")
	p.Signal(t, syscall.SIGTERM)
	if rest := p.End(t, 1); !strings.Contains(rest, "terminated signal received") {
		t.Errorf("output after SIGTERM: got %q, want the reason", rest)
	}
	processtest.Run(t, t.TempDir(), nil, "-overlap", "soon").Fails(t, 2, "-overlap")
}

// TestKeyRotation checks that no request fails if the overlap is longer than the
// roll-out, and that each old key is revoked. It runs on a fake clock.
func TestKeyRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out, 2*time.Second); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		var done, failed int
		if _, err := fmt.Sscanf(lines[len(lines)-1], "%d requests, %d failed", &done, &failed); err != nil || failed != 0 || done < rotations*workers*20 {
			t.Errorf("last line: got %q (%v), want at least %d requests and 0 failed", lines[len(lines)-1], err, rotations*workers*20)
		}
		if n := strings.Count(out.String(), "the old key: api_key_revoked\n"); n != rotations {
			t.Errorf("revoked keys: got %d, want %d; output:\n%s", n, rotations, &out)
		}
		if regexp.MustCompile(`pr_live_\w{5}`).MatchString(out.String()) {
			t.Errorf("output: got\n%s\nwant no API key", &out)
		}
	})
}
