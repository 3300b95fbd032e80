package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A database that cannot be read may be one that another process is creating, so it is
// locked. A file of another kind and one that is up to date are not.
func TestLock(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "workspaces.db")
	if err := opened(t, file).Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := slices.Concat(content[:100], make([]byte, len(content)-100))
	for name, test := range map[string]struct {
		content []byte
		locked  bool
	}{
		"damaged":        {damaged, true},
		"empty":          {nil, true},
		"not a database": {[]byte("a text of another program, which is long enough for a header of SQLite to be in its place, and more"), false},
		"up to date":     {content, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "workspaces.db")
			if err := os.WriteFile(file, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			release, err := Lock(t.Context(), file)
			if err = errors.Join(err, release()); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(file + ".lock"); (err == nil) != test.locked || err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("lock file: got error %v, want it to exist: %t", err, test.locked)
			}
		})
	}
}
