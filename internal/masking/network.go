package masking

import (
	"net/netip"
	"strings"
	"unicode/utf8"
)

const (
	mostLocal  = 64  // bytes of the local part (RFC 5321, section 4.5.3.1.1)
	mostDomain = 255 // and of the domain
	mostLabel  = 63
)

// findEmail finds an address around its at sign. Letters of all scripts count
// (RFC 6531); quoted local parts are not looked for.
func findEmail(text string, at int) (start, end int) {
	start = localPart(text, at)
	end = domain(text, at+1)
	if start < 0 || end < 0 {
		return 0, 0
	}
	return start, end
}

// localPart returns where the local part before an at sign begins, or -1.
func localPart(text string, at int) int {
	begin, start := at, -1
	for begin > 0 {
		r, size := utf8.DecodeLastRuneInString(text[:begin])
		if !isWordRune(r) && (r >= utf8.RuneSelf || strings.IndexByte("._%+-'!#$*~^", byte(r)) < 0) { //nolint:gosec // it is ASCII there
			break
		}
		if begin -= size; at-begin > mostLocal {
			return -1
		}
		// It begins with a letter or digit: a quote or the like before it is not
		// its own.
		if isWordRune(r) || r == '_' {
			start = begin
		}
	}
	if start < 0 || text[at-1] == '.' || strings.Contains(text[start:at], "..") {
		return -1
	}
	return start
}

// domain returns where the domain from at on ends, or -1: two labels or more,
// of which the last is no number.
func domain(text string, at int) int {
	end, labels, label, named := -1, 0, 0, false
	for i := at; i < len(text) && i-at < mostDomain; {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case isWordRune(r):
			label += size
			named = named || r >= utf8.RuneSelf || isLetter(byte(r)) //nolint:gosec // it is ASCII there
			if label > mostLabel {
				return -1
			}
			if labels > 0 && label > 1 && named {
				end = i + size
			}
		case r == '-' && label > 0:
			label++
		case r == '.' && label > 0 && text[i-1] != '-':
			labels, label, named = labels+1, 0, false
		default:
			return end
		}
		i += size
	}
	return end
}

// findIPv4 finds a dotted address (RFC 791) that is no part of a longer dotted
// number.
func findIPv4(text string, at int) (start, end int) {
	if precedes(text, at, ".") {
		return 0, 0
	}
	end = at
	for octet := range 4 {
		begin := end
		if end = run(text, begin, 4, isDigit); end == begin || end-begin > 3 || end-begin > 1 && text[begin] == '0' || end-begin == 3 && text[begin:end] > "255" {
			return 0, 0
		}
		if octet < 3 {
			if end == len(text) || text[end] != '.' {
				return 0, 0
			}
			end++
		}
	}
	if follows(text, end, ".") {
		return 0, 0
	}
	return at, end
}

const mostIPv6 = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

// findIPv6 finds an address in one of the forms of RFC 4291, section 2.2, but
// for the one that is all zeros.
func findIPv6(text string, at int) (start, end int) {
	if at > 0 && (text[at] == ':' && isWord(text[at-1]) || text[at-1] == ':' && !isLabel(text[:at-1])) {
		return 0, 0 // it began before
	}
	// Most words are none: a group ends after four digits, with a colon.
	if group := run(text, at, 5, isHex); group-at > 4 || group == len(text) || text[group] != ':' || group == at && !strings.HasPrefix(text[at:], "::") {
		return 0, 0
	}
	end = run(text, at, mostIPv6+2, func(b byte) bool { return isHex(b) || b == ':' || b == '.' })
	for end > at && (text[end-1] == '.' || text[end-1] == ':' && !strings.HasSuffix(text[at:end], "::")) {
		end-- // the sentence's
	}
	s := text[at:end]
	if end < len(text) && isWord(text[end]) || len(s) > mostIPv6 || s == "::" || !strings.Contains(s, "::") && strings.Count(s, ":") < 6 {
		return 0, 0
	}
	if address, err := netip.ParseAddr(s); err != nil || !address.Is6() {
		return 0, 0
	}
	return at, end
}

// isLabel reports whether a word that is no group of an address ends there, as
// in ip:2001:db8::1.
func isLabel(before string) bool {
	const group = 4
	for n := 1; n <= len(before) && isWord(before[len(before)-n]); n++ {
		if n > group || !isHex(before[len(before)-n]) {
			return true
		}
	}
	return false
}
