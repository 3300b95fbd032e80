// Package changelog makes the entries of the audit trail: their canonical form
// and the chain of hashes through them.
package changelog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Entry is one change of one object, but for its hash.
type Entry struct {
	ID          string            `json:"id"`
	WorkspaceID string            `json:"workspace_id"`
	Sequence    int64             `json:"sequence"`
	Action      string            `json:"action"`
	Resource    Ref               `json:"resource"`
	Actor       Ref               `json:"actor"`
	Changes     map[string]Change `json:"changes"`
	IP          string            `json:"ip"`
	UserAgent   string            `json:"user_agent"`
	RequestID   string            `json:"request_id"`
	OccurredAt  time.Time         `json:"occurred_at"`
	PrevHash    string            `json:"prev_hash"`
}

// Ref names an object or an actor.
type Ref struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Change is one field before and after: nil where there was, or is, nothing.
type Change struct {
	From any `json:"from"`
	To   any `json:"to"`
}

// Secret stands in a change for a value that must not show: as [redacted] where
// there is one, and null where there is none. What differs is its mark, which
// is never written.
type Secret struct {
	Mark  string
	Shown string // what may show of it, in place of [redacted]
}

// MarshalJSON implements [json.Marshaler].
func (s Secret) MarshalJSON() ([]byte, error) {
	switch {
	case s.Mark == "":
		return []byte("null"), nil
	case s.Shown != "":
		return json.Marshal(s.Shown)
	default:
		return []byte(`"` + wire.Redacted + `"`), nil
	}
}

// Genesis is the PrevHash of a workspace's first entry: no chain passes for
// that of another.
func Genesis(workspaceID string) string {
	sum := sha256.Sum256([]byte(workspaceID))
	return hex.EncodeToString(sum[:])
}

// Seal returns the entry as it is stored and served, and its hash: the
// lower-case hex SHA-256 over the entry's canonical JSON (RFC 8785) without the
// member "hash". The document is that JSON with the member in its sorted place,
// so that taking it out gives the bytes that were hashed.
func Seal(e *Entry) (document []byte, hash string, err error) {
	var canonical jsontext.Value
	if canonical, err = wire.Encode(e); err != nil {
		return nil, "", fmt.Errorf("encode changelog entry: %w", err)
	}
	if err := canonical.Canonicalize(); err != nil {
		return nil, "", fmt.Errorf("canonicalize changelog entry: %w", err)
	}
	sum := sha256.Sum256(canonical)
	hash = hex.EncodeToString(sum[:])
	// "id" is the name that follows "hash" in sorted order; names of an inner
	// object cannot be taken for it, since none begins after "changes" closes.
	at, err := offsetOf(canonical, "id")
	if err != nil {
		return nil, "", err
	}
	document = make([]byte, 0, len(canonical)+len(hash)+len(`"hash":"",`))
	document = append(document, canonical[:at]...)
	document = append(document, `"hash":"`+hash+`",`...)
	return append(document, canonical[at:]...), hash, nil
}

// offsetOf returns where the member of that name begins in an object.
func offsetOf(object []byte, name string) (int64, error) {
	dec := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := dec.ReadToken(); err != nil {
		return 0, err
	}
	for dec.PeekKind() == '"' {
		member, err := dec.ReadToken()
		if err != nil {
			return 0, err
		}
		found := member.String() == name
		if found {
			return dec.InputOffset() - int64(len(`""`)+len(name)), nil
		}
		if err := dec.SkipValue(); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("no member %q in %s", name, object)
}

// Diff returns the fields that differ. A nil map is an object that was not
// there before, or is not there any more.
func Diff(before, after map[string]any) (map[string]Change, error) {
	changes := map[string]Change{}
	for field := range before {
		changes[field] = Change{From: before[field], To: after[field]}
	}
	for field := range after {
		changes[field] = Change{From: before[field], To: after[field]}
	}
	for field, c := range changes {
		if from, ok := c.From.(Secret); ok {
			if to, ok := c.To.(Secret); ok && from == to {
				delete(changes, field)
			}
			continue
		}
		from, err := json.Marshal(c.From, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		to, err := json.Marshal(c.To, json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		if bytes.Equal(from, to) {
			delete(changes, field)
		}
	}
	return changes, nil
}
