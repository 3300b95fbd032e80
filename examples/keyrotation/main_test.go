package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// With an overlap longer than the roll-out no request fails, and each old key
// has ended. The clock is the test's.
func TestKeyRotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := run(t.Context(), &out, 2*time.Second); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		var done, failed int
		if _, err := fmt.Sscanf(lines[len(lines)-1], "%d requests, %d failed", &done, &failed); err != nil || failed != 0 || done < rotations*workers*20 {
			t.Errorf("%v\n%s", err, &out)
		}
		if n := strings.Count(out.String(), "the old key: api_key_revoked\n"); n != rotations {
			t.Errorf("%d old keys have ended:\n%s", n, &out)
		}
		if regexp.MustCompile(`pr_live_\w{5}`).MatchString(out.String()) {
			t.Errorf("a key shows:\n%s", &out)
		}
	})
}
