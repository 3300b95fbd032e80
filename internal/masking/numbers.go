package masking

import "strings"

// findCard finds a payment card number (ISO/IEC 7812): 13 to 19 digits of which
// the last is a check by Luhn, written together or in groups.
func findCard(text string, at int) (start, end int) {
	var number [19]byte
	n, group, separator := 0, 0, byte(0)
	for i := at; i < len(text); i++ {
		b := text[i]
		switch {
		case isDigit(b) && n < len(number):
			number[n] = b - '0'
			n++
			group++
			if (i+1 == len(text) || !isDigit(text[i+1])) && n >= 13 && (separator == 0 || group >= 3) && luhn(number[:n]) {
				end = i + 1
			}
		case (b == ' ' || b == '-') && (separator == b || separator == 0 && (n == 4 || n == 6)) && group >= 3 && i+1 < len(text) && isDigit(text[i+1]):
			separator, group = b, 0
		default:
			return at, end
		}
	}
	return at, end
}

// luhn is the check of ISO/IEC 7812-1, annex B.
func luhn(number []byte) bool {
	sum := 0
	for i, d := range number {
		v := int(d)
		if (len(number)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// findSSN finds a US social security number: three, two and four digits with a
// separator, in none of the ranges that are never given out.
func findSSN(text string, at int) (start, end int) {
	const size = len("123-45-6789")
	if at+size > len(text) {
		return 0, 0
	}
	s := text[at : at+size]
	separator := s[3:4]
	if separator != "-" && separator != " " || s[6:7] != separator || !allDigits(s[:3]) || !allDigits(s[4:6]) || !allDigits(s[7:]) {
		return 0, 0
	}
	if s[:3] == "000" || s[:3] == "666" || s[0] == '9' || s[4:6] == "00" || s[7:] == "0000" {
		return 0, 0
	}
	if precedes(text, at, "-") || follows(text, at+size, "-") {
		return 0, 0
	}
	return at, at + size
}

func allDigits(s string) bool {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
	}
	return true
}

// findKimlik finds a Turkish identity number: eleven digits, of which the last
// two are checks.
func findKimlik(text string, at int) (start, end int) {
	const size = 11
	if end = run(text, at, size+1, isDigit); end-at != size {
		return 0, 0
	}
	var odd, even, sum int
	for i := range size - 1 {
		d := int(text[at+i] - '0')
		switch {
		case i == 9:
		case i%2 == 0:
			odd += d
		default:
			even += d
		}
		sum += d
	}
	tenth, eleventh := int(text[at+9]-'0'), int(text[at+10]-'0')
	if (odd*7-even+100)%10 != tenth || sum%10 != eleventh {
		return 0, 0
	}
	return at, end
}

// findPhone finds an international number (E.164), which begins with a plus, or
// a North American one with its separators.
func findPhone(text string, at int) (start, end int) {
	if text[at] == '+' {
		return findInternational(text, at)
	}
	return findNorthAmerican(text, at)
}

const (
	leastPhoneDigits = 8
	mostPhoneDigits  = 15 // E.164
	longGroup        = 7  // digits that are not followed by more of the number
)

func findInternational(text string, at int) (start, end int) {
	if at > 0 && (isWord(text[at-1]) || text[at-1] == '+') || at+1 == len(text) || text[at+1] == '0' {
		return 0, 0
	}
	n, group, gap := 0, 0, 0
	for i := at + 1; i < len(text); i++ {
		switch b := text[i]; {
		case isDigit(b):
			if n++; n > mostPhoneDigits {
				return at, end // with the group before, if it was one
			}
			group++
			gap = 0
			if n >= leastPhoneDigits && (i+1 == len(text) || !isDigit(text[i+1])) {
				end = i + 1
			}
		case strings.IndexByte(" -.()", b) >= 0 && n > 0 && gap < 2 && group < longGroup:
			gap++
			if i+1 < len(text) && isDigit(text[i+1]) {
				group = 0
			}
		default:
			return at, end
		}
	}
	return at, end
}

// findNorthAmerican finds 212-555-0123, (212) 555-0123 and the like, with or
// without a leading 1.
func findNorthAmerican(text string, at int) (start, end int) {
	if precedes(text, at, "-.") {
		return 0, 0
	}
	i := at
	if text[i] == '1' {
		if i+1 == len(text) || strings.IndexByte(" -.", text[i+1]) < 0 {
			return 0, 0
		}
		i += 2
	}
	separators := " -."
	if i < len(text) && text[i] == '(' {
		if !isArea(text, i+1) || i+4 >= len(text) || text[i+4] != ')' {
			return 0, 0
		}
		if i += 5; i < len(text) && strings.IndexByte(" -", text[i]) >= 0 {
			i++
		}
	} else {
		if !isArea(text, i) || i+3 >= len(text) || strings.IndexByte(separators, text[i+3]) < 0 {
			return 0, 0
		}
		separators = text[i+3 : i+4] // the same again
		i += 4
	}
	if !isArea(text, i) || i+8 > len(text) || strings.IndexByte(separators, text[i+3]) < 0 || !allDigits(text[i+4:i+8]) {
		return 0, 0
	}
	if end = i + 8; follows(text, end, "-.") {
		return 0, 0
	}
	return at, end
}

// isArea reports whether three digits stand there that an area or an exchange
// can have: neither begins with 0 or 1.
func isArea(text string, at int) bool {
	return at+3 <= len(text) && text[at] >= '2' && text[at] <= '9' && allDigits(text[at+1:at+3])
}
