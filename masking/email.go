package masking

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxLocal  = 64  // bytes (RFC 5321, section 4.5.3.1.1)
	maxDomain = 255 // bytes
	maxLabel  = 63
)

// findEmail finds the address around an at sign, which can be percent-encoded. The
// local part and each label can use letters of any script (RFC 6531), but only of one,
// because the address can be next to text in another script.
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
		return 0, 0 // a Git repository
	}
	return start, end
}

// script is a class of scripts.
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

// localPart returns the start of the local part before the at sign at offset at, or -1.
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

// plainLocal returns the start of the letters, digits and common punctuation before the
// at sign. The first character is a letter, a digit or an underscore. It returns -1 if
// there is no such text, or if it is too long.
func plainLocal(text string, at int) int {
	begin, start, of := at, -1, noLetter
	for begin > 0 {
		if n := escapeBefore(text, begin); n == 3 {
			switch b := unhex(text[begin-2])<<4 | unhex(text[begin-1]); {
			case isWord(b) || strings.IndexByte("+.-_'", b) >= 0:
				begin -= n // a percent-encoded character of the local part
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
		// Punctuation before the first letter, such as a quote, is not part of it.
		if is != noLetter || r == '_' {
			start = begin
		}
	}
	return start
}

// extendedLocal returns the start of a local part with less common characters (atext of
// RFC 5322), if they cannot belong to a URL or a list before the address. Otherwise it
// returns start.
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
		return begin // an address in angle brackets
	case strings.ContainsAny(added, "=?`{|}$%*!^~") || strings.Contains(added, "#") && strings.Contains(added, "/") || !isWord(text[begin]) || strings.Contains(added, "//"):
		return verp(text, begin, start, at)
	case begin == 0 || strings.IndexByte(" \t\n\r,;(\"", text[begin-1]) >= 0:
		return begin
	default:
		return start
	}
}

// verp returns the start of the local part of a variable envelope return path, such as
// bounces+12-ada=example.org. It contains an address with = instead of the at sign.
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

// quotedLocal returns the start of a quoted local part, or -1.
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

// isAtom reports whether b is allowed in an unquoted local part.
func isAtom(b byte) bool {
	return isWord(b) || strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", b) >= 0
}

func unhex(b byte) byte {
	if isDigit(b) {
		return b - '0'
	}
	return b | 0x20 - 'a' + 10
}

// isUserInfo reports whether the text before an at sign is the user information of a
// URL.
func isUserInfo(text string, start, at int) bool {
	const longest = 256
	before := text[max(0, at-longest):at]
	slashes := strings.LastIndex(before, "://")
	return slashes >= 0 && at-len(before)+slashes < start && !strings.ContainsAny(before[slashes+len("://"):], "/?# \t\n\r\"'<>")
}

// domain returns the end of the domain at offset at, or -1. A domain has at least two
// labels, and the last one is a name. A label has only one script, because text in
// another script can follow it.
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

// labelEnd returns the end of the domain label at offset at. It sets isName if the label
// can be the last one: if it has at least two letters and no digit, or is an A-label
// (RFC 5890).
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

// judgeDomain returns end, or -1 if the domain is more likely a version or a file name.
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

// extensions are file name extensions that are not top-level domains. A file name can
// contain an at sign, as in logo@2x.png.
var extensions = strings.Fields(`png jpg jpeg gif webp svg avif ico bmp tiff heic css scss less js mjs cjs jsx ts tsx map json xml html htm yml yaml txt log
	woff woff2 ttf eot otf wasm tgz gz jar dll exe`)

func isFile(extension string) bool { return slices.Contains(extensions, extension) }

// isVersion reports whether a label can start a version: a number, optionally after a v.
func isVersion(label string) bool {
	label = strings.TrimPrefix(label, "v")
	return label != "" && strings.Trim(label, digits) == ""
}
