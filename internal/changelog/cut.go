package changelog

import "bytes"

// Cut returns the text of an entry before and after its member "hash": the
// object without that member. The entry must be valid JSON without duplicate
// names. Cut reports false for an object without the member or with white space
// around its values, and for other values.
func Cut(entry []byte) (before, after []byte, ok bool) {
	if len(entry) == 0 || entry[0] != '{' {
		return nil, nil, false
	}
	for from := 1; from < len(entry) && entry[from] == '"'; {
		colon := from + stringSize(entry[from:])
		if colon == len(entry) || entry[colon] != ':' {
			return nil, nil, false
		}
		size, compact := valueSize(entry[colon+1:])
		to := colon + 1 + size // the comma, or the end of the object
		if !compact || to == len(entry) {
			return nil, nil, false
		}
		if string(entry[from:colon]) == `"hash"` {
			before, after, ok = entry[:from], entry[to:], true
			if after[0] == ',' {
				after = after[1:]
			} else {
				before = bytes.TrimSuffix(before, []byte(","))
			}
		}
		if entry[to] != ',' {
			return before, after, ok && to == len(entry)-1
		}
		from = to + 1
	}
	return nil, nil, false
}

// stringSize returns the size of the JSON string that text begins with.
func stringSize(text []byte) int {
	for at := 1; at < len(text); at++ {
		quote := bytes.IndexByte(text[at:], '"')
		if quote < 0 {
			break
		}
		at += quote
		escapes := at
		for text[escapes-1] == '\\' {
			escapes--
		}
		if (at-escapes)%2 == 0 {
			return at + 1
		}
	}
	return len(text)
}

// valueSize returns the size of the value of a member, and whether no white
// space is before or after it.
func valueSize(text []byte) (size int, compact bool) {
	depth := 0
	for size < len(text) {
		switch text[size] {
		case '"':
			size += stringSize(text[size:])
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return size, true
			}
			depth--
		case ',':
			if depth == 0 {
				return size, true
			}
		case ' ', '\t', '\n', '\r':
			if depth == 0 {
				return size, false
			}
		}
		size++
	}
	return size, true
}
