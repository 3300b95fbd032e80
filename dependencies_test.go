package promptrails_test

import (
	"os"
	"os/exec"
	"path/filepath"
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

// linked are the modules that the root package links, beginning with its own.
var linked = []string{
	"github.com/promptrails-community/promptrails-go",
	"github.com/go-json-experiment/json", "github.com/google/go-querystring", "github.com/hashicorp/go-retryablehttp", "github.com/hashicorp/go-cleanhttp",
	"github.com/hashicorp/golang-lru/v2", "golang.org/x/sync", "golang.org/x/time", "golang.org/x/net", "golang.org/x/text", "github.com/standard-webhooks/standard-webhooks/libraries",
}

// The root package links few modules, which have no further dependencies. It
// links no database, server or test library.
func TestRootPackageDependencies(t *testing.T) {
	t.Parallel()
	const own = "github.com/promptrails-community/promptrails-go/"
	internal := []string{"", own + "internal/apikey", own + "internal/changelog", own + "internal/policy", own + "internal/redact", own + "internal/wire"}
	for dep := range strings.FieldsSeq(goTool(t, "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".")) {
		ok := false
		for _, module := range linked {
			ok = ok || dep == module || strings.HasPrefix(dep, module+"/")
		}
		if !ok || strings.HasPrefix(dep, own) && !slices.Contains(internal, dep) {
			t.Errorf("dependencies of the root package: got %s, want only %v and %v", dep, linked, internal)
		}
	}
}

// A program that imports the root package downloads only the modules that the package
// links. The programs in examples/ and the embedded service require others.
func TestImporterDownloads(t *testing.T) {
	t.Parallel()
	root, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir, cache := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module importer\n\ngo 1.26.0\n\nrequire github.com/promptrails-community/promptrails-go v0.0.0\n\n" +
			"replace github.com/promptrails-community/promptrails-go => " + root + "\n",
		"main.go": "package main\n\nimport promptrails \"github.com/promptrails-community/promptrails-go\"\n\nfunc main() { _, _ = promptrails.NewClient() }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-modcacherw", "-o", os.DevNull, ".")
	build.Dir = dir
	downloaded := filepath.Join(strings.TrimSpace(goTool(t, "env", "GOMODCACHE")), "cache", "download")
	build.Env = append(os.Environ(), "GOWORK=off", "GOMODCACHE="+cache, "GOPROXY=file://"+filepath.ToSlash(downloaded), "GONOSUMDB=*", "GONOPROXY=", "GOPRIVATE=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: got error %v, want none\n%s", err, out)
	}
	var zips []string
	err = filepath.WalkDir(filepath.Join(cache, "cache", "download"), func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".zip") {
			module, _, _ := strings.Cut(filepath.ToSlash(strings.TrimPrefix(path, filepath.Join(cache, "cache", "download")+string(filepath.Separator))), "/@v/")
			zips = append(zips, module)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(zips)
	if want := slices.Sorted(slices.Values(linked[1:])); !slices.Equal(zips, want) {
		t.Errorf("downloaded modules: got %q, want %q", zips, want)
	}
}
