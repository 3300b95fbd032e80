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

// ChainError says where a changelog's chain breaks: at which sequence something
// else was expected.
type ChainError struct {
	Sequence int64
	Reason   string
}

func (e *ChainError) Error() string {
	return fmt.Sprintf("promptrails: the changelog does not verify at sequence %d: %s", e.Sequence, e.Reason)
}

// VerifyChangelog checks that no entry was altered, cut out, doubled or moved,
// in constant memory, and returns the head to check from the next time. The
// entries come unfiltered and oldest first: as [ChangelogService.All] yields
// them with [OrderAscending], or from an export of their JSON.
//
// With from nil they begin with the first one, whose workspace is trusted; a head
// of sequence 0 names the workspace. With an earlier head they begin with that
// head's own entry, whose hash must still be the same: that also shows whether
// the end was cut off since. A head without a WorkspaceID takes it from that
// entry.
//
// What does not fit is a [*ChainError]; an error of the sequence is returned as
// it is. The rule of the chain: hash is the lower-case hex SHA-256 over the entry
// as canonical JSON (RFC 8785) without the member hash; prev_hash is the hash of
// the entry before it, and that of the first the SHA-256 of the workspace's id.
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
		return nil, &ChainError{v.head.Sequence, "there is no entry at all, where an earlier check has seen some"}
	}
	return &v.head, nil
}

// verifier walks along a chain.
type verifier struct {
	head   ChangelogHead // of what has been seen
	pinned bool          // the next entry must be head's own
}

func newVerifier(from *ChangelogHead) *verifier {
	v := &verifier{}
	if from != nil {
		v.head = *from
		v.head.Hash = strings.ToLower(from.Hash) // hex has no case
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
	raw, err := entry.MarshalJSON()
	if err != nil {
		return broken("the entry is not JSON: %v", err)
	}
	link, err := readLink(raw)
	if err != nil {
		return broken("%v", err)
	}
	if v.head.WorkspaceID == "" {
		v.head.WorkspaceID = link.workspace
		if !v.pinned { // a head's hash stays
			v.head.Hash = changelog.Genesis(link.workspace)
		}
	}
	switch {
	case link.workspace != v.head.WorkspaceID:
		return broken("the entry is of the workspace %.40q, not %q", link.workspace, v.head.WorkspaceID)
	case link.sequence == expected:
	case link.sequence < expected:
		return broken("the entry %d stands here, which comes before: entries must come once, unfiltered and oldest first", link.sequence)
	default:
		return broken("it is missing: the entry %d stands here; entries must come unfiltered and oldest first", link.sequence)
	}
	hash, ok := link.verify()
	switch {
	case !ok:
		return broken("the entry was altered: its hash is not that of its content")
	case v.pinned && hash != v.head.Hash:
		return broken("the entry is another one than an earlier check has seen")
	case !v.pinned && link.prev != v.head.Hash:
		return broken("the entry does not follow the one before it: one of them was altered or replaced")
	}
	v.head.Sequence, v.head.Hash, v.pinned = link.sequence, hash, false
	return nil
}

// link is what the chain says of an entry, and the entry without its hash.
type link struct {
	workspace  string
	sequence   int64
	prev, hash string
	content    jsontext.Value
}

func readLink(raw []byte) (*link, error) {
	var l link
	into := map[string]any{"workspace_id": &l.workspace, "sequence": &l.sequence, "prev_hash": &l.prev, "hash": &l.hash}
	err := wire.EachMember(raw, func(name string, rawName, value jsontext.Value) error {
		if field, ok := into[name]; ok {
			if err := jsonv2.Unmarshal(value, field); err != nil {
				return fmt.Errorf("invalid %s", name)
			}
			if name == "hash" {
				return nil
			}
		}
		l.content = append(l.content, separator(l.content)...)
		l.content = append(append(append(l.content, rawName...), ':'), value...)
		return nil
	})
	if len(l.content) == 0 {
		l.content = append(l.content, '{')
	}
	l.content = append(l.content, '}')
	return &l, err
}

// verify returns the hash of an entry, and whether it is the one that it says.
// An entry that some tool has written anew in another form is the same, if each
// of its values is.
func (l *link) verify() (string, bool) {
	if hash := changelog.Hash(l.content); hash == l.hash {
		return hash, true
	}
	canonical := l.content.Clone()
	if canonical.Canonicalize() != nil || !exactNumbers(l.content) {
		return "", false
	}
	hash := changelog.Hash(canonical)
	return hash, hash == l.hash
}

// exactNumbers reports whether the canonical form of a text has each of its
// numbers to the last digit: what it would round was not what was hashed.
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
