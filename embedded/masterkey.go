package embedded

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/promptrails-community/promptrails-go/internal/seal"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// keyFile is the file next to a database that contains its master key.
type keyFile struct {
	name   string
	key    []byte
	marked bool // the database has contained data
	made   bool // created by this call
}

// keyMark is the second line of the key file of a database that has contained
// data. If the database is missing, it is not silently created again.
const keyMark = "# the database of this key holds data"

// masterKey returns Config.MasterKey, or the key of the database's key file and
// that file.
func (cfg *Config) masterKey(ctx context.Context) ([]byte, *keyFile, error) {
	switch {
	case cfg.MasterKey != nil:
		return cfg.MasterKey, nil, nil
	case cfg.DSN == "":
		return newMasterKey(), nil, nil
	case store.IsServer(cfg.DSN):
		return nil, nil, errors.New("Config.MasterKey: is required for a database server; generate 32 random bytes, and keep them as long as the database")
	}
	k := &keyFile{name: cfg.DSN + ".key"}
	isNew, err := store.IsNew(cfg.DSN)
	if err != nil {
		return nil, nil, err
	}
	err = k.read()
	switch {
	case err == nil && isNew && k.marked:
		return nil, nil, fmt.Errorf("the database is missing or empty, but its key file %s exists: restore the database, or remove the key file to start with an empty database", k.name)
	case errors.Is(err, fs.ErrNotExist) && !isNew:
		if err := store.Inspect(ctx, cfg.DSN); err != nil {
			return nil, nil, err
		}
		return nil, nil, fmt.Errorf("the database has no key file: restore %s, or set Config.MasterKey", k.name)
	case errors.Is(err, fs.ErrNotExist):
		k.key, k.made = newMasterKey(), true
		err = k.write()
	}
	return k.key, k, err
}

func newMasterKey() []byte {
	key := make([]byte, seal.KeySize)
	_, _ = rand.Read(key) // never fails
	return key
}

func (k *keyFile) read() error {
	text, err := os.ReadFile(k.name)
	if err != nil {
		return err
	}
	info, err := os.Stat(k.name)
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("the key file is readable by other users: run chmod 600 %s", k.name)
	}
	line, rest, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	k.key, err = hex.DecodeString(strings.TrimSpace(line))
	if err != nil || len(k.key) != seal.KeySize {
		return fmt.Errorf("invalid key file %s: must contain %d bytes in hexadecimal", k.name, seal.KeySize)
	}
	k.marked = strings.Contains(rest, keyMark)
	return nil
}

// write writes the file atomically: without a complete key, the database is
// lost.
func (k *keyFile) write() (err error) {
	text := hex.EncodeToString(k.key) + "\n"
	if k.marked {
		text += keyMark + "\n"
	}
	// CreateTemp creates the file with mode 0600.
	draft, err := os.CreateTemp(filepath.Dir(k.name), filepath.Base(k.name)+".*")
	if err != nil {
		return fmt.Errorf("create the key file: %w", err)
	}
	_, err = draft.WriteString(text)
	if err = errors.Join(err, draft.Sync(), draft.Close()); err == nil {
		err = os.Rename(draft.Name(), k.name)
	}
	if err != nil {
		return fmt.Errorf("write the key file: %w", errors.Join(err, os.Remove(draft.Name())))
	}
	return nil
}

// admit rejects an empty database whose key file is marked as having contained
// data. A copy made while the service ran may lack the write-ahead log.
func (k *keyFile) admit(proof []byte) error {
	if k != nil && k.marked && proof == nil {
		return fmt.Errorf("the database is empty, but its key file %s belongs to a database with data: restore all of its files (including -wal and -shm), or remove the key file and the database to start with an empty database", k.name)
	}
	return nil
}

// opened records that the database contains data.
func (k *keyFile) opened() error {
	if k == nil || k.marked {
		return nil
	}
	k.marked = true
	return k.write()
}

// failed removes a key file created for a database that failed to open.
func (k *keyFile) failed() error {
	if k == nil || !k.made {
		return nil
	}
	return os.Remove(k.name)
}
