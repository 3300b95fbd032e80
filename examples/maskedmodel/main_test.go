package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m, main) }

func TestProcess(t *testing.T) {
	t.Parallel()
	processtest.CheckUsage(t, "environment")
	processtest.Run(t, t.TempDir(), nil).Succeeds(t)
}

func TestMaskedModel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := run(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	const prompt = "Write to grace@example.com and to ada@example.com, and call +1 415 555 0132. grace@example.com is first."
	placeholders := regexp.MustCompile(`\[PII_(?:EMAIL|PHONE)_[0-9a-f]{8}\]`).FindAllString(lines[1], -1)
	if strings.Contains(lines[1], "example.com") || strings.Contains(lines[1], "415") || len(placeholders) != 4 || placeholders[0] != placeholders[3] || placeholders[0] == placeholders[1] {
		t.Errorf("prompt sent to the provider: got %q, want 4 placeholders, equal only for equal addresses", lines[1])
	}
	if want := "restored response:   I will: " + prompt; lines[2] != want {
		t.Errorf("restored response: got %q, want %q", lines[2], want)
	}
	for _, want := range []string{"masked:              email, 3 times", "masked:              phone, 1 times"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output: got\n%s\nwant it to contain %q", &out, want)
		}
	}
}
