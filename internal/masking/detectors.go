package masking

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// detector finds one kind of value. Its find looks at one place of a text and
// returns a match that begins, or has its mark, there; an end that is not behind
// the start is none. What begins or ends within a longer run of letters or
// digits is no match, which is judged once for all.
type detector struct {
	name   string
	starts string // the bytes to look at
	find   func(text string, at int) (start, end int)
}

const (
	digits  = "0123456789"
	upper   = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower   = "abcdefghijklmnopqrstuvwxyz"
	letters = upper + lower
)

var detectors = []detector{
	{"email", "@", findEmail},
	{"phone", "+(123456789", findPhone},
	{"credit_card", "234568", findCard},
	{"iban", letters, findIBAN},
	{"us_ssn", digits, findSSN},
	{"tc_kimlik", "123456789", findKimlik},
	{"ipv4", digits, findIPv4},
	{"ipv6", ":" + digits + "abcdefABCDEF", findIPv6},
	{"jwt", "e", findJWT},
	{"aws_access_key", "A", findAWSKey},
	{"api_key", apiKeyStarts(), findAPIKey},
	{"private_key", "-", findPrivateKey},
}

// Names returns the detectors.
func Names() []string {
	names := make([]string, len(detectors))
	for i, d := range detectors {
		names[i] = d.name
	}
	return names
}

func isDigit(b byte) bool  { return b-'0' < 10 }
func isLetter(b byte) bool { return b|0x20-'a' < 26 }
func isHex(b byte) bool    { return isDigit(b) || b|0x20-'a' < 6 }

// isWord reports whether b is a letter or digit of ASCII.
func isWord(b byte) bool { return isDigit(b) || isLetter(b) }

// beginsWord reports whether no letter or digit stands before a place, or what
// begins there is none itself.
func beginsWord(text string, at int) bool {
	if at == 0 || !isWord(text[at]) && text[at] < utf8.RuneSelf {
		return true
	}
	r, _ := utf8.DecodeLastRuneInString(text[:at])
	return !isWordRune(r)
}

// endsWord is the same for what ends before a place.
func endsWord(text string, at int) bool {
	if at == len(text) || !isWord(text[at-1]) && text[at-1] < utf8.RuneSelf {
		return true
	}
	r, _ := utf8.DecodeRuneInString(text[at:])
	return !isWordRune(r)
}

func isWordRune(r rune) bool {
	if r < utf8.RuneSelf {
		return isWord(byte(r)) //nolint:gosec // it is ASCII
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r))
}

// run returns where the bytes from at on, of which is says that they belong,
// end: after most of them at the latest.
func run(text string, at, most int, is func(byte) bool) int {
	end := at
	for end < len(text) && end-at < most && is(text[end]) {
		end++
	}
	return end
}

// follows reports whether a digit stands behind one of the separators at a
// place, so that what ends there is part of something longer.
func follows(text string, at int, separators string) bool {
	return at+1 < len(text) && strings.IndexByte(separators, text[at]) >= 0 && isDigit(text[at+1])
}

// precedes is the same before a place.
func precedes(text string, at int, separators string) bool {
	return at > 1 && strings.IndexByte(separators, text[at-1]) >= 0 && isDigit(text[at-2])
}
