package redact

import (
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// stream is decoded text without white space. For each byte it holds the range
// of the original text that the byte was decoded from.
type stream struct {
	text     []byte
	from, to []int
	index    map[int]map[string][]int
}

func newStream(size int) *stream {
	return &stream{text: make([]byte, 0, size), from: make([]int, 0, size), to: make([]int, 0, size), index: map[int]map[string][]int{}}
}

func (s *stream) append(decoded string, from, to int) {
	for _, c := range decoded {
		if unicode.IsSpace(c) {
			return
		}
	}
	for i := range len(decoded) {
		s.text = append(s.text, decoded[i])
		s.from, s.to = append(s.from, from), append(s.to, to)
	}
}

func plain(text string) *stream {
	s := newStream(len(text))
	for i, c := range text {
		size := utf8.RuneLen(c)
		if c == utf8.RuneError {
			_, size = utf8.DecodeRuneInString(text[i:])
		}
		s.append(text[i:i+size], i, i+size)
	}
	return s
}

// unescape decodes one level of escapes. It reports whether there were any.
func (s *stream) unescape() (decoded *stream, changed bool) {
	decoded = newStream(len(s.text))
	for i := 0; i < len(s.text); {
		text, size := unescaped(s.text[i:])
		if size == 0 {
			text, size = string(s.text[i:i+1]), 1
		} else {
			changed = true
		}
		decoded.append(text, s.from[i], s.to[i+size-1])
		i += size
	}
	return decoded, changed
}

// maxEntity is the maximum length in bytes of an HTML entity, from & to ;.
const maxEntity = 12

// unescaped decodes the escape at the start of text and returns its length. The
// length is 0 if text does not start with an escape.
func unescaped(text []byte) (string, int) {
	switch text[0] {
	case '%':
		if n, ok := hexDigits(text[1:], 2); ok {
			return string([]byte{byte(n)}), 3 //nolint:gosec // it has 8 bits
		}
	case '&':
		entity := text[:min(len(text), maxEntity)]
		if end := strings.IndexByte(string(entity), ';'); end > 0 {
			if decoded := html.UnescapeString(string(entity[:end+1])); decoded != string(entity[:end+1]) {
				return decoded, end + 1
			}
		}
	case '\\':
		return backslash(text)
	}
	return "", 0
}

// backslash decodes the escapes of JSON and of Go's quoted strings.
func backslash(text []byte) (string, int) {
	if len(text) < 2 {
		return "", 0
	}
	switch c := text[1]; c {
	case '"', '\\', '/', '\'':
		return string(rune(c)), 2
	case 'b', 'f', 'n', 'r', 't':
		return " ", 2
	case 'x':
		if n, ok := hexDigits(text[2:], 2); ok {
			return string([]byte{byte(n)}), 4 //nolint:gosec // it has 8 bits
		}
	case 'u':
		high, ok := hexDigits(text[2:], 4)
		if !ok {
			return "", 0
		}
		if utf16.IsSurrogate(high) && len(text) > 8 && text[6] == '\\' && text[7] == 'u' {
			if low, ok := hexDigits(text[8:], 4); ok {
				return string(utf16.DecodeRune(high, low)), 12
			}
		}
		return string(high), 6
	}
	return "", 0
}

// hexDigits parses the given number of hexadecimal digits, 4 at most.
func hexDigits(text []byte, digits int) (rune, bool) {
	if len(text) < digits {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[:digits]), 16, 16)
	return rune(n), err == nil
}
