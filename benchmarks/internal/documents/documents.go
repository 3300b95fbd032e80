// Package documents has responses of the API for benchmarks. Their texts differ
// between objects, as those of a server do.
package documents

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/changelog"
)

// Workspace is the id of the workspace of all objects.
const Workspace = "2N8Dx8a2a1qUspBKbP02vqP29eH"

// Start is the time of the first object.
var Start = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)

// ID returns the id of an object.
func ID(n int) string { return fmt.Sprintf("3MVOWo1xF7FAhBX%012d", n) }

// Time returns the time of an object.
func Time(n int) time.Time { return Start.Add(time.Duration(n) * (time.Second + time.Microsecond)) }

// Credential returns a credential.
func Credential(n int) []byte {
	at := Time(n).Format("2006-01-02T15:04:05.000000Z07:00")
	return fmt.Appendf(nil, `{"id":%q,"workspace_id":%q,"name":"Key of Ada %d","type":"openai","category":"llm","description":"The key %d of the team",`+
		`"masked_content":"sk-…%04d","is_default":false,"schema_type":"","has_schema":false,"is_valid":true,"version":%d,"created_at":%q,"updated_at":%q}`,
		ID(n), Workspace, n, n, n%10_000, n%7+1, at, at)
}

// Chain returns the first n entries of a changelog, sealed, oldest first.
func Chain(n int) ([][]byte, error) {
	entries, prev := make([][]byte, n), changelog.Genesis(Workspace)
	for i := range entries {
		document, hash, err := changelog.Seal(&changelog.Entry{
			ID: ID(i), WorkspaceID: Workspace, Sequence: int64(i + 1), Action: "updated",
			Resource: changelog.Ref{Type: "workspace", ID: Workspace, Name: "Research " + strconv.Itoa(i)}, Actor: changelog.Ref{Type: "user", ID: ID(i % 20), Name: "Ada"},
			Changes: changelog.Changes(fmt.Appendf(nil, `{"name":{"from":"Research %d","to":"Research %d"}}`, max(0, i-1), i)), IP: "203.0.113.9", UserAgent: "promptrails-go/0.1.0",
			RequestID: ID(1_000_000 + i), OccurredAt: Time(i), PrevHash: prev,
		})
		if err != nil {
			return nil, err
		}
		entries[i], prev = document, hash
	}
	return entries, nil
}

// One returns the response with an object.
func One(object []byte) []byte { return fmt.Appendf(nil, `{"data":%s}`, object) }

// Page returns the response with a page of objects and its meta, which is JSON.
func Page(objects [][]byte, meta string) []byte {
	return fmt.Appendf(nil, `{"data":[%s],"meta":%s}`, bytes.Join(objects, []byte(",")), meta)
}

// Changelog returns the page of limit entries, oldest first, that starts after a
// number of them. Its cursor is that number for the next page.
func Changelog(entries [][]byte, after, limit int) []byte {
	start, end := min(after, len(entries)), min(after+limit, len(entries))
	meta := fmt.Sprintf(`{"limit":%d}`, limit)
	if end < len(entries) {
		meta = fmt.Sprintf(`{"limit":%d,"next_cursor":"%d"}`, limit, end)
	}
	return Page(entries[start:end], meta)
}

// Credentials returns a page of credentials by its number, which starts at 1.
func Credentials(credentials [][]byte, page, limit int) []byte {
	n := len(credentials)
	start, end := min((page-1)*limit, n), min(page*limit, n)
	return Page(credentials[start:end], fmt.Sprintf(`{"total":%d,"page":%d,"limit":%d,"pages":%d}`, n, page, limit, (n+limit-1)/limit))
}
