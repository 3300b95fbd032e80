package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// writing is a context whose Err is called between the steps of a backup, and by
// goroutines of database/sql.
type writing struct {
	context.Context

	err func() error
}

func (w *writing) Err() error { return w.err() }

// A write between each two steps of a backup does not make it begin again, and is not a
// part of it.
func TestBackupIsOneSnapshot(t *testing.T) {
	t.Parallel()
	s := opened(t, filepath.Join(t.TempDir(), "workspaces.db"))
	write := func(name string, size int) error {
		return s.Write(t.Context(), func(g *Global) error { return g.CreateSetting(name, []byte(strings.Repeat("a", size))) })
	}
	if err := write("large", 5*backupPages*4096); err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	ctx := &writing{t.Context(), func() error {
		call := calls.Add(1)
		if call > 100 {
			return errors.New("the backup does not end")
		}
		return write(fmt.Sprint("during ", call), 1)
	}}
	var copied bytes.Buffer
	if n, err := s.Backup(ctx, &copied); err != nil || n != int64(copied.Len()) {
		t.Fatalf("Backup: got %d bytes, %v, want %d and no error", n, err, copied.Len())
	}
	if got := calls.Load(); got < 5 {
		t.Errorf("looks at the context: got %d, want one for each step", got)
	}
	file := filepath.Join(t.TempDir(), "restored.db")
	if err := os.WriteFile(file, copied.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var settings int
	err := opened(t, file).Read(t.Context(), func(g *Global) error { return g.row("SELECT count(*) FROM settings", nil, &settings) })
	if err != nil || settings > 3 { // database/sql looks at the context too, before the snapshot
		t.Errorf("settings in the backup: got %d, %v, want only those before it", settings, err)
	}
}
