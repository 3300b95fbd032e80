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
	ID          string    `json:"id"`
	WorkspaceID string    `json:"workspace_id"`
	Sequence    int64     `json:"sequence"`
	Action      string    `json:"action"`
	Resource    Ref       `json:"resource"`
	Actor       Ref       `json:"actor"`
	Changes     Changes   `json:"-"` // Seal adds them
	IP          string    `json:"ip"`
	UserAgent   string    `json:"user_agent"`
	RequestID   string    `json:"request_id"`
	OccurredAt  time.Time `json:"occurred_at"`
	PrevHash    string    `json:"prev_hash"`
}

// Ref names an object or an actor.
type Ref struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Changes are the fields that differ, as canonical JSON (RFC 8785): an object
// with the members "from" and "to" for each. It is nil if none differ.
type Changes jsontext.Value

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
func Genesis(workspaceID string) string { return Hash([]byte(workspaceID)) }

// Hash returns the lower-case hex SHA-256 of the concatenated parts, the hash of
// the chain.
func Hash(parts ...[]byte) string {
	digest := sha256.New()
	for _, part := range parts {
		digest.Write(part)
	}
	return hex.EncodeToString(digest.Sum(nil))
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
	// In sorted order, "changes" and "hash" come directly before "id".
	at, err := offsetOf(canonical, "id")
	if err != nil {
		return nil, "", err
	}
	changes := e.Changes
	if changes == nil {
		changes = Changes("{}")
	}
	document = make([]byte, 0, len(canonical)+len(changes)+len(`"changes":,"hash":"",`)+hex.EncodedLen(sha256.Size))
	document = append(document, canonical[:at]...)
	document = append(document, `"changes":`...)
	document = append(document, changes...)
	document = append(document, ',')
	hash = Hash(document, canonical[at:])
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

// Diff returns the fields that differ. A nil map stands for an object that did
// not exist before, or does not exist after.
func Diff(before, after map[string]any) (Changes, error) {
	fields := map[string]struct{}{}
	for field := range before {
		fields[field] = struct{}{}
	}
	for field := range after {
		fields[field] = struct{}{}
	}
	changed := map[string]change{}
	for field := range fields {
		c, differs, err := compare(before[field], after[field])
		if err != nil {
			return nil, err
		}
		if differs {
			changed[field] = c
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	canonical, err := json.Marshal(changed)
	if err != nil {
		return nil, err
	}
	err = (*jsontext.Value)(&canonical).Canonicalize()
	return canonical, err
}

// change is the value of a field before and after.
type change struct {
	From jsontext.Value `json:"from"`
	To   jsontext.Value `json:"to"`
}

func compare(from, to any) (c change, differs bool, err error) {
	was, isSecret := from.(Secret)
	is, staysSecret := to.(Secret)
	if isSecret && staysSecret && was == is {
		return c, false, nil
	}
	if c.From, err = json.Marshal(from, json.Deterministic(true)); err != nil {
		return c, false, err
	}
	if c.To, err = json.Marshal(to, json.Deterministic(true)); err != nil {
		return c, false, err
	}
	return c, isSecret && staysSecret || !bytes.Equal(c.From, c.To), nil
}
