package masking

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxLocal  = 64  // bytes of the local part (RFC 5321, section 4.5.3.1.1)
	maxDomain = 255 // and of the domain
	maxLabel  = 63
)

// findEmail finds an address around its at sign, which may be percent-encoded.
// Letters of all scripts count (RFC 6531), as long as they are of one script on
// either side: a sentence in another one may be next to the address.
func findEmail(text string, at int) (start, end int) {
	after := at + 1
	if text[at] == '%' {
		if !strings.HasPrefix(text[at:], "%40") {
			return 0, 0
		}
		after = at + len("%40")
	}
	if after >= len(text) || at == 0 {
		return 0, 0
	}
	if end = domain(text, after); end < 0 {
		return 0, 0
	}
	if start = localPart(text, at); start < 0 || isUserInfo(text, start, at) || start > 0 && text[start-1] == '@' {
		return 0, 0
	}
	if text[start:at] == "git" && end < len(text) && text[end] == ':' {
		return 0, 0 // the address of a repository
	}
	return start, end
}

// script is a set of letters that words are written with.
type script int

const (
	noLetter script = iota
	latin           // and ASCII digits
	otherScript
)

func scriptOf(r rune) script {
	switch {
	case r < utf8.RuneSelf && isWord(byte(r)), r >= utf8.RuneSelf && unicode.Is(unicode.Latin, r): //nolint:gosec // the first is ASCII
		return latin
	case r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)):
		return otherScript
	default:
		return noLetter
	}
}

// localPart returns where the local part before an at sign begins, or -1.
func localPart(text string, at int) int {
	if text[at-1] == '"' {
		return quotedLocal(text, at)
	}
	start := plainLocal(text, at)
	if start < 0 || text[at-1] == '.' || strings.Contains(text[start:at], "..") {
		return -1
	}
	return extendedLocal(text, start, at)
}

// plainLocal returns where the letters, digits and common signs before an at sign
// begin, at a letter, a digit or an underscore; -1 if there are none, or too many.
func plainLocal(text string, at int) int {
	begin, start, of := at, -1, noLetter
	for begin > 0 {
		if n := escapeBefore(text, begin); n == 3 {
			switch b := unhex(text[begin-2])<<4 | unhex(text[begin-1]); {
			case isWord(b) || strings.IndexByte("+.-_'", b) >= 0:
				begin -= n // a part of the local part, percent-encoded
				continue
			case b < utf8.RuneSelf || begin >= 2*n && text[begin-2*n] == '%':
				return start
			}
		} else if n > 0 {
			return start
		}
		r, size := utf8.DecodeLastRuneInString(text[:begin])
		is := scriptOf(r)
		if is == noLetter && (r >= utf8.RuneSelf || strings.IndexByte("._%+-'", byte(r)) < 0) || is != noLetter && of != noLetter && is != of { //nolint:gosec // it is ASCII there
			break
		}
		if is != noLetter {
			of = is
		}
		if begin -= size; at-begin > maxLocal {
			return -1
		}
		// A quotation mark or the like before the first letter is not part of it.
		if is != noLetter || r == '_' {
			start = begin
		}
	}
	return start
}

// extendedLocal returns where a local part begins that has other signs as well
// (atext of RFC 5322), if they cannot be those of a URL or a list around it.
func extendedLocal(text string, start, at int) int {
	begin := start
	for begin > 0 && at-begin <= maxLocal && (isWord(text[begin-1]) || isAtom(text[begin-1])) && escapeBefore(text, begin) == 0 {
		begin--
	}
	if begin == start || at-begin > maxLocal {
		return start
	}
	added := text[begin:start]
	switch {
	case begin > 0 && text[begin-1] == '<' && isWord(text[begin]):
		return begin // nothing but an address goes there
	case strings.ContainsAny(added, "=?`{|}$%*!^~") || strings.Contains(added, "#") && strings.Contains(added, "/") || !isWord(text[begin]) || strings.Contains(added, "//"):
		return verp(text, begin, start, at)
	case begin == 0 || strings.IndexByte(" \t\n\r,;(\"", text[begin-1]) >= 0:
		return begin
	default:
		return start
	}
}

// verp returns where the local part of a variable envelope return path begins, such
// as bounces+12-ada=example.org: it names an address with = in place of the at sign.
func verp(text string, begin, start, at int) int {
	local := text[begin:at]
	if strings.HasPrefix(local, "prvs=") || strings.HasPrefix(local, "btv1==") {
		return begin // signed (BATV)
	}
	equals := strings.LastIndexByte(local, '=')
	if equals < 0 || !strings.Contains(local[equals:], ".") || !strings.ContainsAny(local[:equals], "+-") || !isWord(local[0]) {
		return start
	}
	return begin
}

// quotedLocal returns where a quoted local part begins, or -1.
func quotedLocal(text string, at int) int {
	opened := strings.LastIndexByte(text[max(0, at-1-maxLocal):at-1], '"')
	if opened < 0 {
		return -1
	}
	opened += max(0, at-1-maxLocal)
	inner := text[opened+1 : at-1]
	if inner == "" || strings.ContainsAny(inner, "\n\r\t\\:{}[]<>") || opened > 0 && strings.IndexByte(" <,;(:", text[opened-1]) < 0 {
		return -1
	}
	return opened
}

// isAtom reports whether b may be in a local part without quotes.
func isAtom(b byte) bool {
	return isWord(b) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", b) >= 0
}

func unhex(b byte) byte {
	if isDigit(b) {
		return b - '0'
	}
	return b | 0x20 - 'a' + 10
}

// isUserInfo reports whether what precedes an at sign is the user, and the password,
// of a URL.
func isUserInfo(text string, start, at int) bool {
	const longest = 256
	before := text[max(0, at-longest):at]
	slashes := strings.LastIndex(before, "://")
	return slashes >= 0 && at-len(before)+slashes < start && !strings.ContainsAny(before[slashes+len("://"):], "/?# \t\n\r\"'<>")
}

// domain returns where the domain from at on ends, or -1: two labels or more, of
// which the last is a name. A label has one script: a sentence in another one may
// follow it.
func domain(text string, at int) int {
	end, labels := -1, 0
	for i := at; i-at < maxDomain; labels++ {
		next, isName := labelEnd(text, i)
		if next == i || next-i > maxLabel {
			break
		}
		if end = -1; labels > 0 && isName {
			end = next
		}
		if next+1 >= len(text) || text[next] != '.' {
			break
		}
		following, _ := utf8.DecodeRuneInString(text[next+1:])
		if scriptOf(following) == noLetter {
			break
		}
		i = next + 1
	}
	return judgeDomain(text, at, end)
}

// labelEnd returns where a label of a domain ends, and whether it can be the last one:
// it has two letters or more and no digit, or is an A-label (RFC 5890).
func labelEnd(text string, at int) (end int, isName bool) {
	of, letters, plain, hyphen := noLetter, 0, true, false
	end = at
	for i := at; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		is := scriptOf(r)
		switch {
		case r == '-' && i > at:
			hyphen = true
			i++
			continue
		case is == noLetter, of != noLetter && is != of && !isDigit(text[i]):
			return end, end > at && (letters > 1 && plain || strings.HasPrefix(text[at:end], "xn--"))
		case isDigit(text[i]):
			plain = false
		default:
			of = is
			letters += size
		}
		plain = plain && !hyphen
		i += size
		end = i
		if i-at > maxLabel {
			break
		}
	}
	return end, end > at && (letters > 1 && plain || strings.HasPrefix(text[at:end], "xn--"))
}

// judgeDomain refuses what is a version or the name of a file rather than a domain.
func judgeDomain(text string, first, end int) int {
	if end < 0 {
		return -1
	}
	labels := strings.Split(text[first:end], ".")
	switch last := strings.ToLower(labels[len(labels)-1]); {
	case isFile(last):
		return -1
	case isVersion(labels[0]) && len(labels) > 2 && isDigit(labels[1][0]):
		return -1
	default:
		return end
	}
}

// extensions are those of files that are no top-level domains: an image may have its
// scale after an at sign, as logo@2x.png has.
var extensions = strings.Fields(`png jpg jpeg gif webp svg avif ico bmp tiff heic css scss less js mjs cjs jsx ts tsx map json xml html htm yml yaml txt log
	woff woff2 ttf eot otf wasm tgz gz jar dll exe`)

func isFile(extension string) bool { return slices.Contains(extensions, extension) }

// isVersion reports whether a label begins a version: a number, with a v perhaps.
func isVersion(label string) bool {
	label = strings.TrimPrefix(label, "v")
	return label != "" && strings.Trim(label, digits) == ""
}
