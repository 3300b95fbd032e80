// Package changelog creates audit log entries in their canonical form, linked by
// a hash chain.
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

// Entry is one change of one object, without its hash.
type Entry struct {
	ID          string    `json:"id"`
	WorkspaceID string    `json:"workspace_id"`
	Sequence    int64     `json:"sequence"`
	Action      string    `json:"action"`
	Resource    Ref       `json:"resource"`
	Actor       Ref       `json:"actor"`
	Changes     Changes   `json:"-"` // added by Seal
	IP          string    `json:"ip"`
	UserAgent   string    `json:"user_agent"`
	RequestID   string    `json:"request_id"`
	OccurredAt  time.Time `json:"occurred_at"`
	PrevHash    string    `json:"prev_hash"`
}

// Ref identifies an object or an actor.
type Ref struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Changes holds the changed fields as canonical JSON (RFC 8785): an object that
// maps each field to an object with the members "from" and "to". It is nil if no
// field changed.
type Changes jsontext.Value

// Secret represents a secret value in a change. It encodes as null if Mark is
// empty, as Shown if that is set, and as "[redacted]" otherwise. Two Secrets with
// different marks are different values; the mark is never written.
type Secret struct {
	Mark  string
	Shown string // the part of the value that may be shown
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

// Genesis returns the PrevHash of a workspace's first entry. It differs between
// workspaces, so that the chain of one does not verify for another.
func Genesis(workspaceID string) string { return Hash([]byte(workspaceID)) }

// Hash returns the SHA-256 of the concatenated parts in lower-case hex.
func Hash(parts ...[]byte) string {
	digest := sha256.New()
	for _, part := range parts {
		digest.Write(part)
	}
	return hex.EncodeToString(digest.Sum(nil))
}

// Matches reports whether hash is the [Hash] of content.
func Matches(content []byte, hash string) bool {
	sum := sha256.Sum256(content)
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:]) == hash
}

// Seal returns the entry as it is stored and served, and its hash: the SHA-256
// in lower-case hex of the entry's canonical JSON (RFC 8785) without the member
// "hash". The document is that JSON with the member "hash" at its sorted
// position, so removing the member gives the hashed bytes.
func Seal(e *Entry) (document []byte, hash string, err error) {
	var canonical jsontext.Value
	if canonical, err = wire.Encode(e); err != nil {
		return nil, "", fmt.Errorf("encode changelog entry: %w", err)
	}
	if err := canonical.Canonicalize(); err != nil {
		return nil, "", fmt.Errorf("canonicalize changelog entry: %w", err)
	}
	// In sorted order, "changes" and "hash" are directly before "id".
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

// offsetOf returns the offset of the member with that name in an object.
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

// Diff returns the fields that differ. A nil map means that the object did not
// exist before the change, or does not exist after it.
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
