package masking

import (
	"strings"
	"unicode/utf8"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// detector finds one kind of value. The function find is called for each offset at
// which text has one of the bytes in marks. It returns the start and the end of the
// match with its mark at that offset. There is no match if end <= start.
type detector struct {
	name  promptrails.Detector
	marks string
	find  func(text string, at int) (start, end int)
}

const (
	digits  = "0123456789"
	upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower   = "abcdefghijklmnopqrstuvwxyz"
	letters = upper + lower
)

// The indexes of the detectors.
const (
	email = iota
	phone
	creditCard
	iban
	usSSN
	tcKimlik
	ipv4
	ipv6
	jwt
	awsAccessKey
	apiKey
	privateKey
)

var detectors = [...]detector{
	email:        {promptrails.DetectorEmail, "@%", findEmail},
	phone:        {promptrails.DetectorPhone, "+%(" + digits, findPhone},
	creditCard:   {promptrails.DetectorCreditCard, "2345689", findCard},
	iban:         {promptrails.DetectorIBAN, letters, findIBAN},
	usSSN:        {promptrails.DetectorUSSSN, digits, findSSN},
	tcKimlik:     {promptrails.DetectorTCKimlik, "123456789", findKimlik},
	ipv4:         {promptrails.DetectorIPv4, digits, findIPv4},
	ipv6:         {promptrails.DetectorIPv6, ":" + digits + "abcdefABCDEF", findIPv6},
	jwt:          {promptrails.DetectorJWT, "e", findJWT},
	awsAccessKey: {promptrails.DetectorAWSAccessKey, "A=:", findAWSKey},
	apiKey:       {promptrails.DetectorAPIKey, apiKeyMarks(), findAPIKey},
	privateKey:   {promptrails.DetectorPrivateKey, "-L", findPrivateKey},
}

// possible returns the detectors that can match at the start of a run of digits, as
// bits. It excludes detectors by the length of the run and by the next byte. This is
// an optimization: most numbers are too short for a match.
func possible(text string, at int) uint16 {
	const maxRun = 20
	end := run(text, at, maxRun, isDigit)
	n, may := end-at, uint16(1<<apiKey)
	switch {
	case n == 9:
		may |= 1 << usSSN
	case n == 11:
		may |= 1 << tcKimlik
	case n >= 13:
		may |= 1 << creditCard
	}
	if n >= minNational && n <= maxNational {
		may |= 1 << phone
	}
	if end == len(text) {
		return may
	}
	switch next := text[end]; {
	case next == ':' || isHex(next):
		may |= 1 << ipv6
	case separates(text, end):
		may |= 1 << phone
		switch n {
		case 3:
			may |= 1 << usSSN
		case 4:
			may |= 1 << creditCard
		}
		if next == '.' && n <= 3 {
			may |= 1 << ipv4
		}
	}
	return may
}

// Detectors returns the detectors that have a pattern. [promptrails.DetectorName] and
// [promptrails.DetectorAddress] do not have one.
func Detectors() []promptrails.Detector {
	names := make([]promptrails.Detector, len(detectors))
	for i, d := range detectors {
		names[i] = d.name
	}
	return names
}

func isDigit(b byte) bool  { return b-'0' < 10 }
func isLetter(b byte) bool { return b|0x20-'a' < 26 }
func isHex(b byte) bool    { return isDigit(b) || b|0x20-'a' < 6 }

// isWord reports whether b is an ASCII letter or digit. Other letters do not count as
// part of a word, because in scripts without spaces, or with suffixes, they can come
// directly before or after a value.
func isWord(b byte) bool { return isDigit(b) || isLetter(b) }

// wordBytes is the table of isWord.
var wordBytes = func() (is [256]bool) {
	for b := range is {
		is[b] = isWord(byte(b))
	}
	return is
}()

// beginsWord reports whether a word can start at offset at.
func beginsWord(text string, at int) bool {
	return at == 0 || !isWord(text[at-1]) || afterEscape(text, at)
}

// endsWord reports whether a word can end at offset at.
func endsWord(text string, at int) bool { return at == len(text) || !isWord(text[at]) }

// afterEscape reports whether an escape sequence ends at offset at: for example \n,
// \u00e9 or \x1b in a string literal, %3D in a URL, or a terminal color sequence, raw
// or escaped.
func afterEscape(text string, at int) bool {
	return escapeBefore(text, at) > 0
}

// escapeBefore returns the length of the escape sequence that ends at offset at, or 0.
func escapeBefore(text string, at int) int {
	if at < 2 {
		return 0
	}
	last := text[at-1]
	switch {
	case text[at-2] == '\\' && strings.IndexByte("nrtbfva0", last) >= 0:
		return 2
	case at >= 3 && text[at-3] == '%' && isHex(text[at-2]) && isHex(last):
		return 3
	case at >= 4 && text[at-4] == '\\' && text[at-3] == 'x' && isHex(text[at-2]) && isHex(last):
		return 4
	case at >= 6 && text[at-6] == '\\' && text[at-5] == 'u' && isHex(text[at-4]) && isHex(text[at-3]) && isHex(text[at-2]) && isHex(last):
		return 6
	case last == 'm':
		return colorBefore(text, at)
	default:
		return 0
	}
}

// colorBefore returns the length of the terminal color sequence (ECMA-48, SGR) that
// ends at offset at, or 0: a bracket, parameters and an m, without the escape character.
func colorBefore(text string, at int) int {
	const longest = 16
	for i := at - 2; i >= 0 && at-i <= longest; i-- {
		switch b := text[i]; {
		case b == '[':
			escape := text[max(0, i-6):i]
			for _, introducer := range []string{"\x1b", `\x1b`, `\u001b`, `\033`, `\e`} {
				if strings.HasSuffix(strings.ToLower(escape), introducer) {
					return at - i
				}
			}
			return 0
		case !isDigit(b) && b != ';':
			return 0
		}
	}
	return 0
}

// run returns the end of the longest run of bytes at offset at for which is returns
// true, of at most limit bytes.
func run(text string, at, limit int, is func(byte) bool) int {
	end := at
	for end < len(text) && end-at < limit && is(text[end]) {
		end++
	}
	return end
}

// separator returns the separator at offset at: a space of any width, a hyphen or
// dash, a dot or a slash. It returns the corresponding ASCII character, and the length
// in bytes, which is 0 if there is no separator.
func separator(text string, at int) (kind byte, size int) {
	if at >= len(text) {
		return 0, 0
	}
	switch b := text[at]; b {
	case ' ', '-', '.', '/':
		return b, 1
	case 0xc2: // U+00A0
		if strings.HasPrefix(text[at:], "\u00a0") {
			return ' ', 2
		}
	case 0xe2: // U+2000 to U+200A, U+202F, U+2010 to U+2015, U+2212
		if at+2 < len(text) {
			switch r := rune(0x2000) | rune(text[at+1]&0x3f)<<6 | rune(text[at+2]&0x3f); {
			case text[at+1] == 0x80 && r <= 0x200a, r == 0x202f:
				return ' ', 3
			case r >= 0x2010 && r <= 0x2015, r == 0x2212:
				return '-', 3
			}
		}
	}
	return 0, 0
}

// separatorBefore is like separator, for a separator that ends at offset at.
func separatorBefore(text string, at int) (kind byte, size int) {
	if at == 0 || text[at-1] < utf8.RuneSelf && strings.IndexByte(" -./", text[at-1]) < 0 {
		return 0, 0
	}
	for _, size := range []int{1, 2, 3} {
		if at >= size {
			if kind, n := separator(text, at-size); n == size {
				return kind, size
			}
		}
	}
	return 0, 0
}

// continues reports whether a number continues at offset at, with one of the
// separators and a digit.
func continues(text string, at int, separators string) bool {
	kind, size := separator(text, at)
	return size > 0 && strings.IndexByte(separators, kind) >= 0 && at+size < len(text) && isDigit(text[at+size])
}

// continued reports whether offset at continues a number, with a digit and one of the
// separators before it.
func continued(text string, at int, separators string) bool {
	kind, size := separatorBefore(text, at)
	return size > 0 && strings.IndexByte(separators, kind) >= 0 && at > size && isDigit(text[at-size-1])
}

// wordsBefore returns the text before offset at on the same line, at most limit bytes,
// in lower case.
func wordsBefore(text string, at, limit int) string {
	before := text[max(0, at-limit):at]
	if i := strings.LastIndexByte(before, '\n'); i >= 0 {
		before = before[i+1:]
	}
	return strings.ToLower(before)
}
