package promptrails_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each Go snippet of the README compiles unchanged.
func TestReadmeCompiles(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(snippets) < 2 {
		t.Fatalf("Go snippets in the README: got %d, want at least 2", len(snippets))
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	overlay := map[string]map[string]string{"Replace": {}}
	packages := []string{}
	for i, snippet := range snippets {
		file := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(file, []byte(snippet[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		name := "main.go"
		if strings.Contains(snippet[1], "testing.T") {
			name = "main_test.go"
		}
		pkg := fmt.Sprintf("readme%d", i)
		overlay["Replace"][filepath.Join(root, pkg, name)] = file
		packages = append(packages, "./"+pkg)
	}
	text, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, pkg := range packages {
		goTool(t, "test", "-c", "-vet=off", "-overlay", file, "-o", filepath.Join(dir, "program"), pkg)
	}
}
