package changelog

import (
	"strings"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Cut returns the text of an entry before and after its member "hash": the
// object without that member. The entry must be valid JSON without duplicate
// names. Cut reports false for an object without the member or with white space
// around its names and values, and for other values.
func Cut(entry string) (before, after string, ok bool) {
	if !strings.HasPrefix(entry, "{") || !strings.HasSuffix(entry, "}") {
		return "", "", false
	}
	members, size := wire.Scan(entry), len("{")
	for {
		name, value, more := members.Member()
		if !more {
			return before, after, ok && size == len(entry)
		}
		from := size
		size += len(name) + len(":") + len(value) + len(",") // or the closing bracket
		if name == `"hash"` && size <= len(entry) {
			before, after, ok = entry[:from], entry[size:], true
			if after == "" {
				before, after = strings.TrimSuffix(before, ","), "}"
			}
		}
	}
}
