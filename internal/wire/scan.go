package wire

import "strings"

// Scanner splits an object or an array into its members or elements. It does not
// check the JSON, which a decoder must have accepted before. Names and values are
// parts of the text, with the quotes and escapes of strings.
type Scanner struct {
	text string
	at   int
}

// Scan returns a Scanner for text, which begins with a bracket.
func Scan(text string) Scanner { return Scanner{text: text} }

// Member returns the next member of an object.
func (s *Scanner) Member() (name, value string, ok bool) {
	if !s.next() {
		return "", "", false
	}
	name = s.value()
	s.spaces()
	s.at++ // the colon
	s.spaces()
	return name, s.value(), true
}

// Element returns the next element of an array.
func (s *Scanner) Element() (value string, ok bool) {
	if !s.next() {
		return "", false
	}
	return s.value(), true
}

// next moves to the next member or element.
func (s *Scanner) next() bool {
	s.spaces()
	s.at++ // the opening bracket, or a comma
	s.spaces()
	return s.at < len(s.text) && s.text[s.at] != '}' && s.text[s.at] != ']'
}

func (s *Scanner) spaces() {
	for s.at < len(s.text) && isSpace(s.text[s.at]) {
		s.at++
	}
}

func (s *Scanner) value() string {
	from := min(s.at, len(s.text))
	if from < len(s.text) && s.text[from] == '"' {
		s.at = stringEnd(s.text, from)
	} else {
		s.at = valueEnd(s.text, from)
	}
	return s.text[from:s.at]
}

// valueEnd returns the end of the value at text[at], which is not a string.
func valueEnd(text string, at int) int {
	for depth := 0; at < len(text); at++ {
		switch c := text[at]; {
		case c == '"':
			at = stringEnd(text, at) - 1
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			if depth--; depth <= 0 {
				return at + depth + 1 // without the bracket of the enclosing value, if depth is -1
			}
		case depth == 0 && (c == ',' || isSpace(c)):
			return at
		}
	}
	return at
}

// stringEnd returns the end of the string at text[at].
func stringEnd(text string, at int) int {
	for {
		size := strings.IndexByte(text[at+1:], '"')
		if size < 0 {
			return len(text)
		}
		at += 1 + size
		if text[at-1] != '\\' {
			return at + 1
		}
		escapes := at
		for text[escapes-1] == '\\' {
			escapes--
		}
		if (at-escapes)%2 == 0 {
			return at + 1
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
