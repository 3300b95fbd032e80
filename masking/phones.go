package masking

import (
	"strings"
	"unicode/utf8"
)

// findPhone finds three kinds of numbers: international numbers (E.164) that start with
// a plus or with 00, North American numbers with separators, and national numbers. A
// national number must have groups and a trunk prefix, or a word such as tel before it.
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
		return 0, 0 // most numbers end here
	}
	g := readGroups(text, first, maxPhoneDigits+2)
	if g.digits < minNational || continued(text, at, "-./") || at > 0 && text[at-1] == '+' || at > 1 && text[at-1] == '(' && text[at-2] == '+' {
		return 0, 0
	}
	if start, end = findNorthAmerican(text, at, g); end > start {
		return start, end
	}
	return findNational(text, at, first, g)
}

// separates reports whether a separator between groups of digits can start at offset at.
func separates(text string, at int) bool { return at < len(text) && separatorBytes[text[at]] }

// separatorBytes are the bytes that can start a separator.
var separatorBytes = func() (is [256]bool) {
	for b := utf8.RuneSelf; b < len(is); b++ {
		is[b] = true
	}
	for _, b := range []byte(" -./()") {
		is[b] = true
	}
	return is
}()

// The length of a national number without a country code, in digits.
const (
	minNational = 7
	maxNational = 13
)

const (
	minPhoneDigits = 8
	maxPhoneDigits = 15 // E.164
	longGroup      = 7  // digits; the number ends after a group of this length
)

// groups describes groups of digits with separators between them.
type groups struct {
	digits, count int
	end           int
	sizes         [8]int
	firsts        [8]byte // the first digit of each group
	parentheses   bool
	zeros         bool     // the number starts with 00
	kinds         [24]byte // the separators, as returned by separator
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

// readGroups reads groups with at most limit digits in total. Between two groups there
// are one to three spaces, hyphens, dots, slashes or parentheses.
func readGroups(text string, at, limit int) (g groups) {
	i := at
	for i < len(text) && g.count < len(g.sizes) {
		begin := i
		i = run(text, i, limit+1, isDigit)
		if i == begin || g.digits+i-begin > limit {
			return g
		}
		if g.count == 0 && i-begin > 1 {
			g.zeros = text[begin] == '0' && text[begin+1] == '0'
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

// findInternational finds an international number. Its digits start at offset first,
// after the plus.
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
				return at, end // the end of the previous group, if any
			}
			group++
			gap, before = 0, 0
			i++
			if (n >= minPhoneDigits && group < n || n > minPhoneDigits) && (text[first] != '1' || n == 11) && (i == len(text) || !isDigit(text[i])) && (endsWord(text, i) || isExtension(text, i)) {
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

// isExtension reports whether an extension starts at offset at: an x and digits.
func isExtension(text string, at int) bool {
	return at+1 < len(text) && text[at]|0x20 == 'x' && isDigit(text[at+1])
}

// findNorthAmerican finds numbers such as 212-555-0123 and (212) 555-0123, with or
// without a leading 1. The groups of digits at offset at are in g.
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
	if !g.parentheses && (g.separators < i+2 || g.kinds[i] != g.kinds[i+1] && g.kinds[i] != '/' && (g.kinds[i] != ' ' || g.kinds[i+1] != '-') || g.kinds[i+1] == '/') {
		return 0, 0
	}
	return at, phoneEnd(text, at, g, i+3)
}

// phoneEnd returns the end of the first n groups after offset at, or 0 if the number
// continues there.
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

// isArea reports whether the three bytes at offset at can be a North American area code
// or exchange: three digits that do not start with 0 or 1.
func isArea(text string, at int) bool {
	return at+3 <= len(text) && text[at] >= '2' && text[at] <= '9' && run(text, at, 3, isDigit) == at+3
}

// phoneWords are whole words that indicate a phone number after them, in lower case.
var phoneWords = words(`tel tél ph mob mobile mobil cell cel cellphone cep call calls called calling dial ring fax gsm sms tlf tfn puh bel ara ruf fijo office hotline
	handy hp whatsapp viber signal celular cellulare portable llama llamar chiama chiamare rufen anruf anrufen durchwahl ligue ligar text landline telp iş ev sđt gọi`)

// phoneParts indicate a phone number also as part of a word, as in Telefonnummer,
// handphone and 電話番号.
var phoneParts = words(`phone telef teléf téléph móvil movil тел моб звон позвон факс جوال هاتف موبايل طلفون טל נייד फोन फ़ोन मोबाइल नंबर 手机 手機 电话 電話 携帯 联系 聯絡
	打给 致电 전화 휴대 연락 핸드폰 โทร เบอร์`)

// otherNumbers are words that indicate another kind of number.
var otherNumbers = words(`order orders invoice part sku item model serial art article isbn issn ean ref id po case ticket bug account acct version build commit`)

// words returns the words of a text, indexed by their first byte.
func words(text string) (byFirst [256][]string) {
	for word := range strings.FieldsSeq(text) {
		byFirst[word[0]] = append(byFirst[word[0]], word)
	}
	return byFirst
}

// maxAnnounced is the maximum distance of an indicating word from its number, in bytes.
const maxAnnounced = 32

// announced reports whether a word before offset at, and after any previous number,
// indicates a phone number.
func announced(text string, at int) bool {
	word := max(nearest(text, at, &phoneWords, true), nearest(text, at, &phoneParts, false))
	return word >= 0 && nearest(text, at, &otherNumbers, true) < word
}

// nearWord reports whether one of the words is before offset at. See nearest.
func nearWord(text string, at int, words *[256][]string, whole bool) bool {
	return nearest(text, at, words, whole) >= 0
}

// nearest returns the position of the last of the words before offset at, or -1. There
// must be no digit between the word and the offset. If whole is true, only whole words
// count. Positions are only comparable between calls with the same offset.
func nearest(text string, at int, words *[256][]string, whole bool) int {
	before := wordsBefore(text, at, maxAnnounced)
	for i := len(before) - 1; i >= 0 && !isDigit(before[i]); i-- {
		for _, w := range words[before[i]] {
			if !strings.HasPrefix(before[i:], w) {
				continue
			}
			end := i + len(w)
			if !whole || (i == 0 || !isLetter(before[i-1]) && before[i-1] < utf8.RuneSelf || afterEscape(before, i)) && (end == len(before) || !isLetter(before[end]) && before[end] < utf8.RuneSelf || before[end] >= 0xe0) {
				return i
			}
		}
	}
	return -1
}

// findNational finds a number in the format used within its country, or with 00 and a
// country code.
func findNational(text string, at, first int, g groups) (start, end int) {
	if !endsWord(text, g.end) && !isExtension(text, g.end) || continues(text, g.end, "-./ ") {
		return 0, 0
	}
	switch {
	case text[at] == '(' && (g.count < 2 || !strings.Contains(text[at:g.end], ")")),
		g.sizes[0] == 1 && g.kinds[0] == '.', // a decimal number
		looksLikeDate(text, first, g):
		return 0, 0
	case g.digits > maxNational && !isDialedAbroad(text, first, g):
		return 0, 0
	case isDump(text, g), strings.Trim(text[first:first+g.sizes[0]], "0") == "" && g.sizes[0] > 2:
		return 0, 0
	case announced(text, at) && (g.count > 1 || g.digits > minNational || isLabeled(text, at)),
		(hasTrunk(g) || isDialedAbroad(text, first, g) || text[at] == '(' && hasArea(g)) && !nearWord(text, at, &otherNumbers, true):
		return at, g.end
	default:
		return 0, 0
	}
}

// isDump reports whether groups are pairs of a hardware address or of a hex dump. A
// phone number has at most five pairs.
func isDump(text string, g groups) bool {
	if g.digits != 2*g.count || g.sizes[0] != 2 || g.sizes[g.count-1] != 2 {
		return false
	}
	next := text[g.end:min(len(text), g.end+3)]
	return g.count > 5 || len(next) == 3 && next[0] == ' ' && isHex(next[1]) && isHex(next[2]) && (isDigit(next[1]) || isDigit(next[2]))
}

// isLabeled reports whether the number at offset at follows a character that ends a
// label, such as a colon.
func isLabeled(text string, at int) bool {
	before := strings.TrimRight(text[max(0, at-4):at], " \"'")
	return strings.HasSuffix(before, ":") || strings.HasSuffix(before, "=") || strings.HasSuffix(before, ".") || strings.HasSuffix(before, "：")
}

// isDialedAbroad reports whether groups start with 00 and a country code.
func isDialedAbroad(text string, at int, g groups) bool {
	if !strings.HasPrefix(text[at:], "00") || g.count < 3 || g.digits < 11 || g.digits > maxPhoneDigits+2 {
		return false
	}
	return g.sizes[0] > 2 && text[at+2] != '0' || g.sizes[0] == 2 && g.firsts[1] != '0'
}

// hasArea reports whether groups after a parenthesis are an area code of two to four
// digits and a number in two groups, as in Brazil.
func hasArea(g groups) bool {
	return g.count == 3 && g.sizes[0] >= 2 && g.sizes[0] <= 4 && g.sizes[1] >= 3 && g.sizes[2] == 4 && g.digits >= 10
}

// hasTrunk reports whether groups start with a trunk prefix, 0 or 8, and are grouped
// like a phone number. Without an indicating word, only this grouping distinguishes
// them from other numbers.
func hasTrunk(g groups) bool {
	area, last := g.sizes[0], g.sizes[g.count-1]
	switch {
	case g.digits < 9 || g.digits > 12 || g.count < 2, g.firsts[0] == '0' && g.zeros:
		return false
	case area == 1 && g.firsts[0] == '8' && g.count == 5: // 8 912 345-67-89
		return g.digits == 11 && g.sizes[1] == 3 && g.sizes[2] == 3 && last == 2
	case area == 1:
		return (g.firsts[0] == '0' || g.firsts[0] == '8') && g.parentheses && g.count >= 3 && g.digits >= 10
	case g.firsts[0] != '0' || area > 5:
		return false
	case g.count == 2:
		return g.sizes[1] >= 5 && g.onlySpaces() || g.sizes[1] >= 7 && (g.digits <= 11 || g.kinds[0] == '/')
	default:
		return g.onlySpaces() || g.digits <= 11 && (last > 2 || g.count > 3)
	}
}

// looksLikeDate reports whether groups start with a date.
func looksLikeDate(text string, at int, g groups) bool {
	isYear := func(i int) bool {
		return g.sizes[i] == 4 && (strings.HasPrefix(text[at:], "19") || strings.HasPrefix(text[at:], "20"))
	}
	if g.parentheses || g.count < 3 {
		return g.count == 2 && isYear(0)
	}
	return isYear(0) && g.sizes[1] <= 2 && g.sizes[2] <= 2 || g.sizes[0] <= 2 && g.sizes[1] <= 2 && g.sizes[2] == 4 && g.digits <= 12 && (g.firsts[2] == '1' || g.firsts[2] == '2')
}
