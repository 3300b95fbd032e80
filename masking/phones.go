package masking

import (
	"strings"
	"unicode/utf8"
)

// findPhone finds an international number (E.164), which begins with a plus or with
// 00; a North American one with its separators; and a national one that begins with
// its trunk prefix and has groups, or that a word such as tel announces.
func findPhone(text string, at int) (start, end int) {
	switch text[at] {
	case '+':
		return findInternational(text, at, at+1)
	case '%':
		if !strings.HasPrefix(text[at:], "%2B") && !strings.HasPrefix(text[at:], "%2b") {
			return 0, 0
		}
		return findInternational(text, at, at+len("%2B"))
	}
	first := at
	if text[at] == '(' {
		first++
	}
	if n := run(text, first, maxNational+1, isDigit) - first; n > maxNational || n < minNational && !separates(text, first+n) {
		return 0, 0 // as most numbers
	}
	g := readGroups(text, first, maxPhoneDigits)
	if g.digits < minNational || continued(text, at, "-./") || at > 0 && text[at-1] == '+' || at > 1 && text[at-1] == '(' && text[at-2] == '+' {
		return 0, 0
	}
	if start, end = findNorthAmerican(text, at, g); end > start {
		return start, end
	}
	return findNational(text, at, first, g)
}

// separates reports whether groups of digits may be separated by what is at a place.
func separates(text string, at int) bool {
	return at < len(text) && (text[at] >= utf8.RuneSelf || strings.IndexByte(" -./()", text[at]) >= 0)
}

// The bounds of a national number without a country, in digits.
const (
	minNational = 7
	maxNational = 13
)

const (
	minPhoneDigits = 8
	maxPhoneDigits = 15 // E.164
	longGroup      = 7  // digits that are not followed by more of the number
)

// groups reads groups of digits with separators between them.
type groups struct {
	digits, count int
	end           int
	sizes         [8]int
	firsts        [8]byte // of each group
	parentheses   bool
	kinds         [24]byte // of the separators
	separators    int
}

// onlySpaces reports whether all separators are spaces.
func (g *groups) onlySpaces() bool {
	for _, kind := range g.kinds[:g.separators] {
		if kind != ' ' {
			return false
		}
	}
	return true
}

// readGroups reads groups of digits, of which there are at most limit. A separator
// is a space, hyphen, dot, slash or parenthesis, or two or three of them.
func readGroups(text string, at, limit int) (g groups) {
	i := at
	for i < len(text) && g.count < len(g.sizes) {
		begin := i
		i = run(text, i, limit+1, isDigit)
		if i == begin || g.digits+i-begin > limit {
			return g
		}
		g.digits += i - begin
		g.sizes[g.count], g.firsts[g.count] = i-begin, text[begin]
		g.count++
		g.end = i
		const longestGap = 3
		var before byte
		for gap := 0; i < len(text) && !isDigit(text[i]); gap++ {
			kind, size := separator(text, i)
			switch {
			case gap == longestGap, kind != 0 && kind == before:
				return g
			case text[i] == '(' || text[i] == ')':
				g.parentheses = true
				size = 1
			case size == 0:
				return g
			default:
				g.kinds[g.separators] = kind
				g.separators++
			}
			before = kind
			i += size
		}
	}
	return g
}

// findInternational finds a number whose digits begin at first, after the plus.
func findInternational(text string, at, first int) (start, end int) {
	if at > 0 && (isWord(text[at-1]) && !afterEscape(text, at) || text[at-1] == '+') || first >= len(text) || text[first] == '0' {
		return 0, 0
	}
	n, group, gap, before := 0, 0, 0, byte(0)
	for i := first; i < len(text); {
		kind, size := separator(text, i)
		if size == 0 && (text[i] == '(' || text[i] == ')') {
			kind, size = '(', 1
		}
		switch b := text[i]; {
		case isDigit(b):
			if n++; n > maxPhoneDigits {
				return at, end // with the group before, if it was one
			}
			group++
			gap, before = 0, 0
			i++
			if n >= minPhoneDigits && (i == len(text) || !isDigit(text[i])) && (endsWord(text, i) || isExtension(text, i)) {
				end = i
			}
		case kind != 0 && (kind == '(' || kind != before) && n > 0 && gap < 3 && group <= longGroup:
			gap++
			before = kind
			i += size
			if i < len(text) && isDigit(text[i]) {
				if n >= minPhoneDigits && group >= longGroup {
					return at, end
				}
				group = 0
			}
		default:
			return at, end
		}
	}
	return at, end
}

// isExtension reports whether an extension begins there: an x and digits.
func isExtension(text string, at int) bool {
	return at+1 < len(text) && text[at]|0x20 == 'x' && isDigit(text[at+1])
}

// findNorthAmerican finds 212-555-0123, (212) 555-0123 and the like, with or without
// a leading 1, among the groups at a place.
func findNorthAmerican(text string, at int, g groups) (start, end int) {
	if text[at] == '(' {
		if g.sizes[0] != 3 || !isArea(text, at+1) || at+4 >= len(text) || text[at+4] != ')' {
			return 0, 0
		}
		next := at + 5
		if _, size := separator(text, next); size > 0 {
			next += size
		}
		g = readGroups(text, next, maxPhoneDigits)
		if g.count < 2 || g.sizes[0] != 3 || g.sizes[1] != 4 || !isArea(text, next) {
			return 0, 0
		}
		return at, phoneEnd(text, next, g, 2)
	}
	i := 0
	if g.count > 3 && g.sizes[0] == 1 && text[at] == '1' {
		i = 1
	}
	if g.count < i+3 || g.sizes[i] != 3 || g.sizes[i+1] != 3 || g.sizes[i+2] != 4 || g.firsts[i] < '2' || g.firsts[i+1] < '2' || g.separators < i+1 {
		return 0, 0
	}
	if !g.parentheses && (g.separators < i+2 || g.kinds[i] != g.kinds[i+1] || g.kinds[i] == '/') {
		return 0, 0
	}
	return at, phoneEnd(text, at, g, i+3)
}

// phoneEnd returns where the first n groups from at on end, or 0 if a number goes on
// there.
func phoneEnd(text string, at int, g groups, n int) int {
	end := at
	for range n {
		for end < len(text) && !isDigit(text[end]) {
			end++
		}
		end = run(text, end, len(text), isDigit)
	}
	if n == g.count {
		end = g.end
	}
	if !endsWord(text, end) && !isExtension(text, end) || continues(text, end, "-.") {
		return 0
	}
	return end
}

// isArea reports whether three digits are there that an area or an exchange of North
// America can have: neither begins with 0 or 1.
func isArea(text string, at int) bool {
	return at+3 <= len(text) && text[at] >= '2' && text[at] <= '9' && run(text, at, 3, isDigit) == at+3
}

// phoneWords announce a phone number. They may be a part of a word: Telefonnummer,
// handphone, 電話番号.
var phoneWords = []string{
	"phone", "tel", "mobile", "mobil", "mob.", "cell", "call", "dial", "ring", "fax", "whatsapp", "viber", "sms", "text me", "ph:", "ph.", "ph ", "tlf", "handy", "gsm", "hotline", "office", "contact number",
	"móvil", "movil", "celular", "llama", "teléfono", "fijo", "chiam", "cellulare", "portable", "appel", "joindre", "rufen", "ruf ", "anruf", "durchwahl", "bel ", "ring ", "puh", "tfn", "cep", "ara ", "iş:", "ev:",
	"тел", "моб", "звон", "номер", "сот", "факс", "جوال", "هاتف", "رقم", "טל", "נייד", "फोन", "फ़ोन", "मोबाइल", "नंबर",
	"手机", "手機", "电话", "電話", "携帯", "联系", "聯絡", "打给", "致电", "전화", "휴대", "연락처", "핸드폰", "โทร", "เบอร์", "मो.", "điện thoại", "sđt", "gọi", "telp", "hp:", "no. hp",
}

// phoneWordsByByte are the words by their first byte.
var phoneWordsByByte = func() (byFirst [256][]string) {
	for _, w := range phoneWords {
		byFirst[w[0]] = append(byFirst[w[0]], w)
	}
	return byFirst
}()

// announced reports whether a word before a place, and after the number before it,
// announces a phone number.
func announced(text string, at int) bool {
	const window = 32
	before := wordsBefore(text, at, window)
	for i := len(before) - 1; i >= 0 && !isDigit(before[i]); i-- {
		for _, w := range phoneWordsByByte[before[i]] {
			if strings.HasPrefix(before[i:], w) {
				return true
			}
		}
	}
	return false
}

// findNational finds a number that is written as within its country.
func findNational(text string, at, first int, g groups) (start, end int) {
	if g.digits > maxNational || !endsWord(text, g.end) && !isExtension(text, g.end) || continues(text, g.end, "-./ ") {
		return 0, 0
	}
	if text[at] == '(' && (g.firsts[0] == '1' || g.count < 2 || !strings.Contains(text[at:g.end], ")")) {
		return 0, 0
	}
	switch {
	case looksLikeDate(text, first, g):
		return 0, 0
	case hasTrunk(text, first, g), announced(text, at):
		return at, g.end
	default:
		return 0, 0
	}
}

// hasTrunk reports whether groups begin with a trunk prefix, 0 or 8, or with 00 and a
// country, as numbers are grouped that people dial: without a word before them, only
// their form tells them from other numbers.
func hasTrunk(text string, at int, g groups) bool {
	if g.digits < 9 || g.count < 2 {
		return false
	}
	area := g.sizes[0]
	switch {
	case g.firsts[0] == '0' && area == 1, g.firsts[0] == '8' && area == 1:
		return g.parentheses && g.count >= 3 && g.digits >= 10
	case strings.HasPrefix(text[at:], "00"):
		return area >= 4 && g.digits >= 11 && text[at+2] != '0'
	case g.firsts[0] == '0':
		return area >= 2 && area <= 5 && g.digits <= 12 && (g.count >= 3 || g.sizes[1] >= 5) && g.onlySpaces() || area >= 2 && area <= 5 && g.digits <= 11 && g.count >= 3
	default:
		return false
	}
}

// looksLikeDate reports whether groups are those of a date or a time.
func looksLikeDate(text string, at int, g groups) bool {
	if g.parentheses || g.count < 3 {
		return g.count == 2 && g.sizes[0] == 4 && (strings.HasPrefix(text[at:], "19") || strings.HasPrefix(text[at:], "20"))
	}
	year := g.sizes[0] == 4 && g.sizes[1] <= 2 && g.sizes[2] <= 2 && (g.firsts[0] == '1' || g.firsts[0] == '2')
	day := g.sizes[0] <= 2 && g.sizes[1] <= 2 && g.sizes[2] == 4 && g.digits <= 8
	return year || day
}
