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

// Page is one page of a list, as it is answered.
type Page[T any] struct {
	Data []T   `json:"data"`
	Meta *Meta `json:"meta,omitzero"` // nil: the page is the whole list
}

// IsPage marks the type as an envelope of its own.
func (p *Page[T]) IsPage() {}

// Meta tells where a page is. A page asked for with a cursor has no number.
type Meta struct {
	Total      *int   `json:"total,omitzero"`
	Page       *int   `json:"page,omitzero"`
	Limit      int    `json:"limit"`
	Pages      *int   `json:"pages,omitzero"`
	TotalPages *int   `json:"total_pages,omitzero"` // the name that older clients read
	NextCursor string `json:"next_cursor,omitzero"`
}

const (
	defaultLimit = 20
	maxLimit     = 100
	maxPageBytes = 4 << 20 // of documents; a page has at least one
)

// listing is a list that is being answered: its cursors fit no other, nor
// another workspace or filter.
type listing struct {
	options   promptrails.ListOptions
	binding   []byte
	store     store.Paging
	sequenced bool // it has neither numbers of pages nor a total
}

// newListing reads the options of the list of that name. The owner is the
// workspace, or the person, whose list it is.
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
			bad.add("after", "is not a cursor of this list with this filter")
		case o.Page != 0:
			bad.add("page", "does not go with after")
		}
		l.store.After = position
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	l.store.Limit, l.store.Size = l.options.Limit, &store.PageSize{Left: maxPageBytes}
	if l.store.After == nil {
		l.store.Offset = min(l.options.Page-1, 1<<40) * l.options.Limit // far past any end, and no overflow
	}
	return l, nil
}

// newSequence reads the options of a list whose cursors are sequences.
func newSequence(name, owner string, o promptrails.ListOptions, filter ...string) (*listing, error) {
	if o.Page != 0 {
		return nil, invalid("page", "is not for this list; use after with meta.next_cursor")
	}
	l, err := newListing(name, owner, o, filter...)
	if err != nil {
		return nil, err
	}
	l.sequenced = true
	return l, nil
}

// proofSize is how much of a cursor binds it to its list. It keeps mistakes
// apart and no secrets: what a cursor can reach, its caller may list anyway.
const proofSize = 12

func (l *listing) proof(position []byte) []byte {
	sum := sha256.Sum256(append(slices.Clip(position), l.binding...))
	return sum[:proofSize]
}

// cursor returns the position as an opaque text.
func (l *listing) cursor(p store.Position) string {
	position := binary.BigEndian.AppendUint64(nil, uint64(p.At)) //nolint:gosec // read back the same way
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
	return &store.Position{At: int64(binary.BigEndian.Uint64(position)), ID: string(position[8:])}, true //nolint:gosec // as it was written
}

// finish makes a page of rows, of which there is one more than the page has
// where it is not the last.
func finish[T any](l *listing, rows []T, total int, at func(T) store.Position) *Page[T] {
	page := &Page[T]{Data: rows, Meta: &Meta{Limit: l.options.Limit}}
	if shown := min(len(rows), l.options.Limit); shown < len(rows) || l.store.Size.Full {
		page.Data = rows[:shown]
		page.Meta.NextCursor = l.cursor(at(page.Data[shown-1]))
	}
	if page.Data == nil {
		page.Data = []T{}
	}
	if l.store.After == nil && !l.sequenced {
		pages := (total + l.options.Limit - 1) / l.options.Limit
		page.Meta = &Meta{&total, &l.options.Page, l.options.Limit, &pages, &pages, page.Meta.NextCursor}
	}
	return page
}
