package embedded

import (
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

// keyFile is the file that holds the master key of a database, next to it.
type keyFile struct {
	name   string
	key    []byte
	marked bool // its database has held data
	made   bool // by this program, just now
}

// keyMark is the second line of a key file whose database has held data: such a
// database does not begin anew.
const keyMark = "# the database of this key holds data"

// masterKey returns the key that was given, or the one that belongs to the
// database, with its file.
func (cfg *Config) masterKey() ([]byte, *keyFile, error) {
	switch {
	case cfg.MasterKey != nil:
		return cfg.MasterKey, nil, nil
	case cfg.DSN == "":
		return newMasterKey(), nil, nil
	}
	k := &keyFile{name: cfg.DSN + ".key"}
	isNew, err := store.IsNew(cfg.DSN)
	if err != nil {
		return nil, nil, err
	}
	err = k.read()
	switch {
	case err == nil && isNew && k.marked:
		return nil, nil, fmt.Errorf("the database is missing or empty, but its key file %s is here: restore the database, or remove the key file to begin anew", k.name)
	case errors.Is(err, fs.ErrNotExist) && !isNew:
		return nil, nil, fmt.Errorf("the database has no key file: restore %s, or give Config.MasterKey", k.name)
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
		return fmt.Errorf("the key file can be read by others: run chmod 600 %s", k.name)
	}
	line, rest, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	k.key, err = hex.DecodeString(strings.TrimSpace(line))
	if err != nil || len(k.key) != seal.KeySize {
		return fmt.Errorf("the key file %s does not hold %d bytes in hexadecimal digits", k.name, seal.KeySize)
	}
	k.marked = strings.Contains(rest, keyMark)
	return nil
}

// write writes the file whole or not at all: a key that is lost half-written
// would take the database with it.
func (k *keyFile) write() (err error) {
	text := hex.EncodeToString(k.key) + "\n"
	if k.marked {
		text += keyMark + "\n"
	}
	// CreateTemp makes it with mode 0600.
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

// admit refuses a database without data whose key file says that it had some:
// a copy that was made while the service ran may lack the write-ahead log.
func (k *keyFile) admit(proof []byte) error {
	if k != nil && k.marked && proof == nil {
		return fmt.Errorf("the database is empty, but its key file %s belongs to one with data: restore all of its files (with -wal and -shm), or remove the key file and the database to begin anew", k.name)
	}
	return nil
}

// opened notes that the database holds data.
func (k *keyFile) opened() error {
	if k == nil || k.marked {
		return nil
	}
	k.marked = true
	return k.write()
}

// failed removes a key file that was made for a database that did not open.
func (k *keyFile) failed() error {
	if k == nil || !k.made {
		return nil
	}
	return os.Remove(k.name)
}
