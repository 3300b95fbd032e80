package promptrails_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// goTool runs the go command in the module's root directory and returns its
// output.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: got error %v, want none\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// The root package links few modules, which have no further dependencies. It
// links no database, server or test library.
func TestRootPackageDependencies(t *testing.T) {
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
			t.Errorf("dependencies of the root package: got %s, want only %v and %v", dep, allowed, internal)
		}
	}
}
