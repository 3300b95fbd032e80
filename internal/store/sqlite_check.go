package store

import (
	"context"
	"fmt"
	"strings"
)

// maxFaults is the maximum number of faults that SQLite looks for.
const maxFaults = 100

// CheckPages implements [engine]. SQLite reads all pages, and compares each index with
// its table.
func (s *sqliteDB) CheckPages(ctx context.Context) (faults []string, err error) {
	if s.reader == s.writer {
		if err := s.queue.enter(ctx); err != nil {
			return nil, err
		}
		defer s.queue.leave()
	}
	rows, err := s.reader.QueryContext(ctx, fmt.Sprintf("PRAGMA integrity_check(%d)", maxFaults))
	if err != nil {
		return nil, translate(err)
	}
	defer func() { _ = rows.Close() }() // rows.Err reports the error
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		if text != "ok" {
			faults = append(faults, strings.TrimSpace(text))
		}
	}
	return faults, translate(rows.Err())
}
