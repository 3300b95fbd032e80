package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/promptrails-community/promptrails-go/internal/seal"
)

// masterKey returns the key that was given, or the one that belongs to the
// database.
func (cfg *Config) masterKey() ([]byte, error) {
	if cfg.MasterKey != nil {
		return cfg.MasterKey, nil
	}
	if cfg.DSN == "" {
		return newMasterKey(), nil
	}
	file := cfg.DSN + ".key"
	text, err := os.ReadFile(file) //nolint:gosec // beside the database that the program names
	if errors.Is(err, fs.ErrNotExist) {
		if info, err := os.Stat(cfg.DSN); err == nil && info.Size() > 0 {
			return nil, fmt.Errorf("the database has no key file beside it: restore %s, or give Config.MasterKey", file)
		}
		return createKeyFile(file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != seal.KeySize {
		return nil, fmt.Errorf("the key file %s does not hold %d bytes in hexadecimal digits", file, seal.KeySize)
	}
	return key, nil
}

func newMasterKey() []byte {
	key := make([]byte, seal.KeySize)
	_, _ = rand.Read(key) // never fails
	return key
}

// createKeyFile makes a key and its file, whole or not at all: a key that is
// lost half-written would take the database with it.
func createKeyFile(file string) (_ []byte, err error) {
	key := newMasterKey()
	// CreateTemp makes it with mode 0600.
	draft, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*")
	if err != nil {
		return nil, fmt.Errorf("create the key file: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(draft.Name())) }()
	_, err = draft.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return nil, fmt.Errorf("write the key file: %w", err)
	}
	// Unlike a rename, a link never replaces a file that another process has
	// just made.
	if err := os.Link(draft.Name(), file); err != nil {
		return nil, fmt.Errorf("create the key file: %w", err)
	}
	return key, nil
}
