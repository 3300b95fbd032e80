package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// BackupInfo describes a backup.
type BackupInfo struct {
	// At is a time by the service's clock. The backup has all changes that were
	// confirmed before it, and may have some of the next ones.
	At time.Time
	// Bytes is the number of bytes that were written.
	Bytes int64
}

// Backup writes a copy of the database to w, while the service runs. The copy is a
// SQLite file. To restore it, write it to a file that does not exist, and open that
// file with the same master key: set [Config.MasterKey], or copy the key file to the
// name of the new file with the suffix .key. The copy does not contain the key, and
// cannot be opened with another one.
//
// Backup delays no writes. The file is first copied to a temporary one in its folder,
// with mode 0600, and then from there to w: the folder needs space for it, but a slow w
// does not keep SQLite from reusing the space of its write-ahead log, which grows during
// the first copy. A database in memory is copied within memory while writes wait, and
// Backup returns an error if the database has a random key. A process that is killed may
// leave a temporary file, the name of which contains .backup-.
//
// Backup returns the error of w, and an error if ctx has ended. The bytes that w has
// received until then are no backup. For a PostgreSQL database it returns an error that
// matches [errors.ErrUnsupported]: use pg_dump, as the README describes.
func (s *Service) Backup(ctx context.Context, w io.Writer) (*BackupInfo, error) {
	if s.keyIsLost {
		return nil, errors.New("embedded: back up: the database in memory has a random key, without which a copy cannot be opened: set Config.MasterKey")
	}
	at, n, err := s.service.Backup(ctx, w)
	if err != nil {
		return nil, fmt.Errorf("embedded: back up: %w", err)
	}
	return &BackupInfo{At: at, Bytes: n}, nil
}
