package service

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Page is a response with one page of a list.
type Page[T any] struct {
	Data []T   `json:"data"`
	Meta *Meta `json:"meta,omitzero"` // nil: the page is the whole list
}

// IsPage marks Page as an envelope, so that it is not wrapped in another one.
func (p *Page[T]) IsPage() {}

// Meta describes the position of a page. Page numbers and totals are omitted if
// the request has a cursor, and totals also if the list is too large to be counted.
type Meta struct {
	Total      *int   `json:"total,omitzero"`
	Page       *int   `json:"page,omitzero"`
	Limit      int    `json:"limit"`
	Pages      *int   `json:"pages,omitzero"`
	TotalPages *int   `json:"total_pages,omitzero"` // the same as Pages, for older clients
	NextCursor string `json:"next_cursor,omitzero"`
}

const (
	defaultLimit = 20
	maxLimit     = 100
	maxPageBytes = 4 << 20 // total size of the documents; a page has at least one
)

// listing is a request for a page of a list. Its cursors are valid only for the
// same list, workspace and filters.
type listing struct {
	options   promptrails.ListOptions
	binding   []byte
	store     store.Paging
	sequenced bool // without page numbers and total
}

// newListing validates the options of a list. The owner is the id of the
// workspace or user that the list belongs to.
func newListing(name, owner string, o promptrails.ListOptions, filter ...string) (*listing, error) {
	l := &listing{options: o}
	bad := faults{}
	if o.Limit == 0 {
		l.options.Limit = defaultLimit
	} else if o.Limit < 1 || o.Limit > maxLimit {
		bad.add("limit", "must be 1 to 100")
	}
	if o.Page < 0 {
		bad.add("page", "must be 1 or more")
	} else if o.Page == 0 {
		l.options.Page = 1
	}
	sum := sha256.New()
	for _, part := range append([]string{name, owner}, filter...) {
		sum.Write(binary.AppendUvarint(nil, uint64(len(part))))
		sum.Write([]byte(part))
	}
	l.binding = sum.Sum(nil)
	if o.After != "" {
		position, ok := l.open(o.After)
		switch {
		case !ok:
			bad.add("after", "must be a cursor returned by this list with the same filters")
		case o.Page != 0:
			bad.add("page", "cannot be combined with after")
		}
		l.store.After = position
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	l.store.Limit, l.store.Size, l.store.Bounds = l.options.Limit, &store.PageSize{Left: maxPageBytes}, store.NewBounds()
	if l.store.After == nil {
		l.store.Offset = min(l.options.Page-1, 1<<40) * l.options.Limit // no overflow
	}
	return l, nil
}

// newSequence is like newListing for a list that is ordered by sequence number.
// Such lists have no page numbers.
func newSequence(name, owner string, o promptrails.ListOptions, filter ...string) (*listing, error) {
	if o.Page != 0 {
		return nil, invalid("page", "is not supported by this list; use after with meta.next_cursor")
	}
	l, err := newListing(name, owner, o, filter...)
	if err != nil {
		return nil, err
	}
	l.sequenced = true
	return l, nil
}

// proofSize is the number of bytes in a cursor that bind it to its list. They
// detect mistakes and are not a security measure: a cursor gives access only to
// rows that the caller can list.
const proofSize = 12

func (l *listing) proof(position []byte) []byte {
	sum := sha256.Sum256(append(slices.Clip(position), l.binding...))
	return sum[:proofSize]
}

// cursor encodes a position as an opaque string.
func (l *listing) cursor(p store.Position) string {
	position := binary.BigEndian.AppendUint64(nil, uint64(p.At)) //nolint:gosec // open converts it back
	position = append(position, p.ID...)
	return base64.RawURLEncoding.EncodeToString(append(position, l.proof(position)...))
}

func (l *listing) open(cursor string) (*store.Position, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(raw) < 8+proofSize {
		return nil, false
	}
	position, proof := raw[:len(raw)-proofSize], raw[len(raw)-proofSize:]
	if !bytes.Equal(proof, l.proof(position)) {
		return nil, false
	}
	return &store.Position{At: int64(binary.BigEndian.Uint64(position)), ID: string(position[8:])}, true //nolint:gosec // cursor converted it
}

// finish returns a page of rows. One more row than the limit means that there
// is another page. A page with fewer rows may also have a cursor: that of the last
// row that was compared with the filters.
func finish[T any](l *listing, rows []T, total int, at func(T) store.Position) *Page[T] {
	page := &Page[T]{Data: rows, Meta: &Meta{Limit: l.options.Limit}}
	if shown := min(len(rows), l.options.Limit); shown < len(rows) || l.store.Size.Full {
		page.Data = rows[:shown]
		page.Meta.NextCursor = l.cursor(at(page.Data[shown-1]))
	}
	if page.Data == nil {
		page.Data = []T{}
	}
	if page.Meta.NextCursor == "" && l.store.Bounds.End != nil {
		page.Meta.NextCursor = l.cursor(*l.store.Bounds.End)
	}
	if l.store.After != nil || l.sequenced {
		return page
	}
	page.Meta.Page = &l.options.Page
	if total != store.Uncounted {
		pages := (total + l.options.Limit - 1) / l.options.Limit
		page.Meta.Total, page.Meta.Pages, page.Meta.TotalPages = &total, &pages, &pages
	}
	return page
}
