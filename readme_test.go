package promptrails_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goTool runs the go command in the module's root.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A program that only calls the API links few modules, each without others of
// its own, and no database, server or test library.
func TestRootPackageIsLight(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"github.com/promptrails-community/promptrails-go",
		"github.com/go-json-experiment/json", "github.com/google/go-querystring", "github.com/hashicorp/go-retryablehttp", "github.com/hashicorp/go-cleanhttp",
		"github.com/hashicorp/golang-lru/v2", "golang.org/x/sync", "golang.org/x/time", "golang.org/x/net", "golang.org/x/text", "github.com/standard-webhooks/standard-webhooks/libraries",
	}
	const own = "github.com/promptrails-community/promptrails-go/"
	internal := []string{"", own + "internal/apikey", own + "internal/changelog", own + "internal/policy", own + "internal/redact", own + "internal/wire"}
	for dep := range strings.FieldsSeq(goTool(t, "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")) {
		ok := false
		for _, module := range allowed {
			ok = ok || dep == module || strings.HasPrefix(dep, module+"/")
		}
		if !ok || strings.HasPrefix(dep, own) && !slices.Contains(internal, dep) {
			t.Errorf("the root package links %s", dep)
		}
	}
}

// The programs of the README compile, as the reader would copy them.
func TestReadmeCompiles(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	snippets := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(snippets) < 2 {
		t.Fatalf("%d snippets", len(snippets))
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
