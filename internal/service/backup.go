package service

import (
	"context"
	"io"
	"time"
)

// Backup writes a copy of the database to w. It returns a time before which all
// confirmed changes are in the copy, and the size of the copy.
func (s *Service) Backup(ctx context.Context, w io.Writer) (at time.Time, size int64, err error) {
	at = s.Now().UTC()
	size, err = s.Store.Backup(ctx, w)
	return at, size, err
}
