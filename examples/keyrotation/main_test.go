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

// With an overlap no request fails; without one those do that come before the
// new key. The clock is the test's.
func TestKeyRotation(t *testing.T) {
	for overlap, fails := range map[time.Duration]bool{2 * time.Second: false, 0: true} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			if err := run(t.Context(), &out, overlap); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(out.String(), "the old key: api_key_revoked\n"); n != rotations {
				t.Errorf("%d old keys have ended:\n%s", n, &out)
			}
			if strings.Contains(out.String(), "pr_live_") && regexp.MustCompile(`pr_live_\w{5}`).MatchString(out.String()) {
				t.Errorf("a key shows:\n%s", &out)
			}
			var done, failed int
			last := out.String()[strings.LastIndex(strings.TrimSpace(out.String()), "\n")+1:]
			if _, err := fmt.Sscanf(last, "%d requests, %d failed", &done, &failed); err != nil || done < rotations*workers*40 || (failed > 0) != fails {
				t.Errorf("overlap %s: %v\n%s", overlap, err, &out)
			}
		})
	}
}
