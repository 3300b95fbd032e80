package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	t.Setenv("PROMPTRAILS_API_URL", "")
	var out bytes.Buffer
	full, err := run(t.Context(), &out)
	if err != nil || !full {
		t.Errorf("full: %t, %v", full, err)
	}
	for _, part := range []string{"Support, plan free", "Research, plan starter", "  active_agents          ████████████████████  3 of 3    100 %\n", "monthly_executions     ░░░░░░░░░░░░░░░░░░░░  0 of 500  0 %"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("the table lacks %q:\n%s", part, &out)
		}
	}
}
