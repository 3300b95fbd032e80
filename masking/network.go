package masking

import (
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// findIPv4 finds a dotted IPv4 address (RFC 791). It does not match versions, or parts of
// longer dotted numbers.
func findIPv4(text string, at int) (start, end int) {
	if at > 1 && text[at-1] == '.' && isWord(text[at-2]) {
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
	next := text[end:min(len(text), end+2)]
	if !endsWord(text, end) || len(next) == 2 && (next[0] == '.' && isWord(next[1]) || next[0] == '-' && isLetter(next[1])) || isVersionNumber(text, at, end) {
		return 0, 0
	}
	return at, end
}

// versionWords are words before a version or a section number.
var versionWords = []string{
	"version", "versions", "ver", "ver.", "v", "v.", "release", "build", "firmware", "driver", "section", "sec.", "chapter", "clause", "rev", "revision", "fw", "assemblyversion", "fileversion", "productversion", "oid", "snmp",
}

// isVersionNumber reports whether a dotted number with four parts is a version, judging
// by the text before it.
func isVersionNumber(text string, at, end int) bool {
	before := wordsBefore(text, at, 24)
	switch {
	case strings.HasSuffix(before, "/") && len(before) > 1 && isLetter(before[len(before)-2]) && strings.HasSuffix(text[at:end], ".0"):
		return true // a product version, as in a User-Agent
	case strings.HasSuffix(before, "==") || strings.HasSuffix(before, ">=") || strings.HasSuffix(before, "<=") || strings.HasSuffix(before, "~=") || strings.HasSuffix(before, "^") || strings.HasSuffix(before, "~") || strings.HasSuffix(before, "§") || strings.HasSuffix(before, "§ "):
		return true
	}
	word := strings.TrimRight(before, " =:(\"'")
	if word == before {
		return false
	}
	word = word[strings.LastIndexFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && r != '.' })+1:]
	return slices.Contains(versionWords, word)
}

const maxIPv6 = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255")

// findIPv6 finds an IPv6 address in one of the formats of RFC 4291, section 2.2. It does
// not match the unspecified address ::, or text that is more likely a name or a time.
func findIPv6(text string, at int) (start, end int) {
	if at > 0 && (text[at] == ':' && isWord(text[at-1]) && !afterEscape(text, at) || text[at-1] == ':' && !isLabel(text[:at-1])) {
		return 0, 0 // within an address or a name
	}
	if at > 1 && text[at-1] == '[' && isWord(text[at-2]) {
		return 0, 0 // an index, such as list[::2]
	}
	// Fail fast for most words: a group has at most four digits, and then a colon.
	if group := run(text, at, 5, isHex); group-at > 4 || group == len(text) || text[group] != ':' || group == at && !strings.HasPrefix(text[at:], "::") {
		return 0, 0
	}
	end = run(text, at, maxIPv6+2, func(b byte) bool { return isHex(b) || b == ':' || b == '.' })
	for end > at && (text[end-1] == '.' || text[end-1] == ':' && !strings.HasSuffix(text[at:end], "::")) {
		end-- // punctuation of the sentence
	}
	s := text[at:end]
	if !endsWord(text, end) || len(s) > maxIPv6 || s == "::" || !strings.Contains(s, "::") && strings.Count(s, ":") < 6 {
		return 0, 0
	}
	if address, err := netip.ParseAddr(s); err != nil || !address.Is6() || !looksLikeIPv6(s) {
		return 0, 0
	}
	return at, end
}

// looksLikeIPv6 returns false for names in C++ or Perl such as Face::Bad, times such as
// 10::30, and World Wide Names, which have eight pairs of digits.
func looksLikeIPv6(s string) bool {
	if strings.ToLower(s) != s && strings.ToUpper(s) != s || !strings.ContainsAny(s, digits) {
		return false
	}
	longest := 0
	for group := range strings.SplitSeq(s, ":") {
		longest = max(longest, len(group))
	}
	return longest > 2 || strings.HasPrefix(s, "::") || strings.Contains(s, "::") && strings.Count(s, ":") > 3
}

// isLabel reports whether before ends with a word that cannot be a group of an address,
// as in ip:2001:db8::1.
func isLabel(before string) bool {
	const group = 4
	for n := 1; n <= len(before) && isWord(before[len(before)-n]); n++ {
		if n > group || !isHex(before[len(before)-n]) {
			return true
		}
	}
	return false
}
