package promptrails

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/changelog"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// ChainError reports the sequence at which the hash chain of a changelog is
// broken, and why.
type ChainError struct {
	Sequence int64
	Reason   string
}

func (e *ChainError) Error() string {
	return fmt.Sprintf("promptrails: the changelog does not verify at sequence %d: %s", e.Sequence, e.Reason)
}

// VerifyChangelog checks that no entry was altered, removed, duplicated or
// moved, and returns the head for the next check. It uses constant memory. The
// entries must be unfiltered and oldest first: as [ChangelogService.All] yields
// them with [OrderAscending], or decoded from an export of their JSON.
//
// If from is nil, the entries must start with the first one, and its workspace
// id is trusted. If from has sequence 0, it names the workspace. If from is an
// earlier head, the entries must start with the head's own entry, whose hash
// must be unchanged; this also detects entries removed from the end since. If
// that head has no WorkspaceID, it is taken from the entry.
//
// A mismatch is a [*ChainError]. An error from entries is returned unchanged.
//
// The hash of an entry is the lowercase hex SHA-256 of the entry as canonical
// JSON (RFC 8785) without the member hash. prev_hash is the hash of the
// previous entry; for the first entry, it is the SHA-256 of the workspace id.
func VerifyChangelog(entries iter.Seq2[*ChangelogEntry, error], from *ChangelogHead) (*ChangelogHead, error) {
	v := newVerifier(from)
	for entry, err := range entries {
		if err != nil {
			return nil, err
		}
		if err := v.next(entry); err != nil {
			return nil, err
		}
	}
	if v.pinned {
		return nil, &ChainError{v.head.Sequence, "there are no entries, but an earlier check verified this one"}
	}
	return &v.head, nil
}

// verifier checks the entries of a chain in order.
type verifier struct {
	head    ChangelogHead // of the verified entries
	pinned  bool          // the next entry must be head's own
	content []byte        // a buffer
}

func newVerifier(from *ChangelogHead) *verifier {
	v := &verifier{}
	if from != nil {
		v.head = *from
		v.head.Hash = strings.ToLower(from.Hash) // hexadecimal is case-insensitive
		v.pinned = from.Sequence > 0
		if from.Sequence == 0 && from.WorkspaceID != "" {
			v.head.Hash = changelog.Genesis(from.WorkspaceID)
		}
	}
	return v
}

func (v *verifier) next(entry *ChangelogEntry) error {
	expected := v.head.Sequence + 1
	if v.pinned {
		expected = v.head.Sequence
	}
	broken := func(format string, args ...any) error {
		return &ChainError{expected, fmt.Sprintf(format, args...)}
	}
	if entry == nil {
		return broken("the entry is nil")
	}
	link, intact := entry.link, v.hashed(entry)
	var content jsontext.Value
	if !intact {
		raw, err := entry.MarshalJSON()
		if err != nil {
			return broken("invalid JSON: %v", err)
		}
		if link, content, err = readLink(raw); err != nil {
			return broken("%v", err)
		}
	}
	if v.head.WorkspaceID == "" {
		v.head.WorkspaceID = link.workspace
		if !v.pinned { // the hash of a pinned head is given
			v.head.Hash = changelog.Genesis(link.workspace)
		}
	}
	switch {
	case link.workspace != v.head.WorkspaceID:
		return broken("the entry belongs to workspace %.40q, not %q", link.workspace, v.head.WorkspaceID)
	case link.sequence == expected:
	case link.sequence < expected:
		return broken("found the earlier entry %d: entries must be unique, unfiltered and oldest first", link.sequence)
	default:
		return broken("missing, found entry %d: entries must be unfiltered and oldest first", link.sequence)
	}
	switch {
	case !intact && !verify(content, link.hash):
		return broken("the entry was altered: its hash does not match its content")
	case v.pinned && link.hash != v.head.Hash:
		return broken("the entry differs from the one verified earlier")
	case !v.pinned && link.prev != v.head.Hash:
		return broken("prev_hash does not match the previous entry: one of them was altered or replaced")
	}
	v.head.Sequence, v.head.Hash, v.pinned = link.sequence, link.hash, false
	return nil
}

// hashed reports whether the JSON of an entry is the text that its server hashed,
// which is the usual case. It reports true only for entries that readLink and
// verify accept, with the same link.
func (v *verifier) hashed(entry *ChangelogEntry) bool {
	before, after, ok := changelog.Cut(entry.raw)
	if !ok {
		return false
	}
	v.content = append(append(v.content[:0], before...), after...)
	return changelog.Matches(v.content, entry.link.hash)
}

// link is the part of an entry that the chain covers.
type link struct {
	workspace  string
	sequence   int64
	prev, hash string
}

// readLink returns the link of an entry, and the entry without its hash.
func readLink(raw []byte) (l link, content jsontext.Value, err error) {
	into := map[string]any{"workspace_id": &l.workspace, "sequence": &l.sequence, "prev_hash": &l.prev, "hash": &l.hash}
	err = wire.EachMember(raw, func(name string, rawName, value jsontext.Value) error {
		if field, ok := into[name]; ok {
			if err := jsonv2.Unmarshal(value, field); err != nil {
				return fmt.Errorf("invalid %s", name)
			}
			if name == "hash" {
				return nil
			}
		}
		content = append(content, separator(content)...)
		content = append(append(append(content, rawName...), ':'), value...)
		return nil
	})
	if len(content) == 0 {
		content = append(content, '{')
	}
	return l, append(content, '}'), err
}

// verify reports whether hash is the hash of an entry without it. An entry that
// a tool has reformatted is still valid if all its values are unchanged.
func verify(content jsontext.Value, hash string) bool {
	if changelog.Matches(content, hash) {
		return true
	}
	canonical := content.Clone()
	return canonical.Canonicalize() == nil && exactNumbers(content) && changelog.Matches(canonical, hash)
}

// exactNumbers reports whether canonical JSON represents every number in v
// exactly. A number that would be rounded was not what was hashed.
func exactNumbers(v jsontext.Value) bool {
	dec := jsontext.NewDecoder(bytes.NewReader(v))
	for {
		token, err := dec.ReadToken()
		if err != nil {
			return errors.Is(err, io.EOF)
		}
		if token.Kind() == '0' && !wire.IsExact(token.String()) {
			return false
		}
	}
}
