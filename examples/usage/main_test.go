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
		t.Errorf("run: got full %t, error %v; want full true, error nil", full, err)
	}
	for _, part := range []string{"Support, plan free", "Research, plan starter", "  active_agents          ████████████████████  3 of 3    100 %\n", "monthly_executions     ░░░░░░░░░░░░░░░░░░░░  0 of 500  0 %"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("output: got\n%s\nwant it to contain %q", &out, part)
		}
	}
}
