package promptrails_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName     = regexp.MustCompile("`((?:Test|Fuzz)[A-Z]\\w*)`")
	testFunction = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z]\w*)\(`)
)

// Each promise in the tables of SECURITY.md names tests, and each named test exists.
func TestSecurityNamesItsTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testFunctions(t)
	promises := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		isRow := strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| promise")
		for i, cell := range cells {
			for _, name := range testName.FindAllStringSubmatch(cell, -1) {
				if !tests[name[1]] {
					t.Errorf("SECURITY.md: got the test %s, want one that exists", name[1])
				}
			}
			if isRow && i == len(cells)-1 && !testName.MatchString(cell) {
				t.Errorf("SECURITY.md: got a promise without a test: %s", line)
			}
		}
		if isRow {
			promises++
		}
	}
	if promises < 20 {
		t.Errorf("promises in SECURITY.md: got %d, want at least 20", promises)
	}
}

// testFunctions returns the names of the tests of this module.
func testFunctions(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "testdata"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, function := range testFunction.FindAllStringSubmatch(string(text), -1) {
			tests[function[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}
