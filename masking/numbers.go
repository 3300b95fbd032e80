package masking

import "strings"

// findCard finds a payment card number (ISO/IEC 7812), with or without separators. Its
// prefix and length must be those of an issuer, and its Luhn check digit must be valid.
func findCard(text string, at int) (start, end int) {
	if continued(text, at, "-.") {
		return 0, 0
	}
	var number [19]byte
	n, group, between := 0, 0, byte(0)
	for i := at; i < len(text); {
		b := text[i]
		kind, size := separator(text, i)
		switch {
		case isDigit(b) && n < len(number):
			number[n] = b - '0'
			n++
			group++
			i++
			if (i == len(text) || !isWord(text[i])) && (between == 0 || group >= 3) && isCard(number[:n]) && !continues(text, i, "-.") {
				end = i
			}
		case (kind == ' ' || kind == '-') && (between == kind || between == 0 && (n == 4 || n == 6)) && group >= 3 && i+size < len(text) && isDigit(text[i+size]):
			between, group = kind, 0
			i += size
		default:
			return at, end
		}
	}
	return at, end
}

// cardRanges are the ranges of the issuers, as first digits and lengths.
var cardRanges = []struct {
	from, to string
	lengths  string // as letters: d is 13, e is 14, ..., j is 19
}{
	{"34", "34", "f"},
	{"37", "37", "f"},
	{"300", "305", "e"},
	{"36", "36", "e"},
	{"38", "39", "e"},
	{"3528", "3589", "g"},
	{"4", "4", "dgj"},
	{"51", "55", "g"},
	{"2221", "2720", "g"},
	{"2200", "2204", "g"},
	{"6011", "6011", "ghij"},
	{"644", "659", "ghij"},
	{"62", "62", "ghij"},
	{"81", "81", "ghij"},
	{"50", "50", "dfghij"},
	{"56", "58", "dfghij"},
	{"60", "60", "g"},
	{"63", "63", "ghij"},
	{"67", "69", "ghij"},
	{"65", "65", "ghij"},
	{"9792", "9792", "g"},
}

// isCard reports whether a number is in one of cardRanges and has a valid check digit.
func isCard(number []byte) bool {
	if len(number) < 13 || !luhn(number) {
		return false
	}
	var first [4]byte
	for i := range first {
		first[i] = number[i] + '0'
	}
	const lengths = "defghij" // 13 to 19 digits
	for _, r := range cardRanges {
		prefix := string(first[:len(r.from)])
		if r.from <= prefix && prefix <= r.to && strings.IndexByte(r.lengths, lengths[len(number)-13]) >= 0 {
			return true
		}
	}
	return false
}

// luhn reports whether the check digit is valid (ISO/IEC 7812-1, annex B).
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

// findSSN finds a US Social Security number: three, two and four digits with the same
// separator between them, or nine digits after one of ssnWords. It does not match
// numbers in ranges that are never assigned.
func findSSN(text string, at int) (start, end int) {
	area := run(text, at, 10, isDigit)
	if area-at == 9 && endsWord(text, area) && isSSN(text[at:at+3], text[at+3:at+5], text[at+5:area]) && nearWord(text, at, &ssnWords, true) {
		return at, area
	}
	kind, size := separator(text, area)
	if area-at != 3 || size == 0 || kind == '/' || continued(text, at, "-./") {
		return 0, 0
	}
	group := area + size
	serial := run(text, group, 3, isDigit)
	again, width := separator(text, serial)
	if serial-group != 2 || again != kind {
		return 0, 0
	}
	end = run(text, serial+width, 5, isDigit)
	if end-serial-width != 4 || !endsWord(text, end) || continues(text, end, "-./") {
		return 0, 0
	}
	if !isSSN(text[at:area], text[group:serial], text[serial+width:end]) || kind == '.' && isVersionNumber(text, at, end) {
		return 0, 0
	}
	return at, end
}

// ssnWords are words that indicate a number without separators.
var ssnWords = words(`ssn ssns social`)

// isSSN returns false for ranges that are never assigned.
func isSSN(area, group, serial string) bool {
	return area != "000" && area != "666" && area[0] != '9' && group != "00" && serial != "0000"
}

// findKimlik finds a Turkish identity number: eleven digits, the last two of which are
// check digits.
func findKimlik(text string, at int) (start, end int) {
	const size = 11
	if end = run(text, at, size+1, isDigit); end-at != size || !endsWord(text, end) || continued(text, at, ".") || continues(text, end, ".") {
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

// ibanLengths are the lengths by country: those in the ISO 13616 registry, and those of
// countries that use the format without being registered.
var ibanLengths = parseLengths(`AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28
	EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32
	LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33
	AO25 BF28 BJ28 CF27 CG27 CI28 CM27 CV25 DZ26 GA27 GQ27 GW25 IR26 KM27 MA28 MG27 ML28 MZ25 NE28 SN28 TD27 TG28
	SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30`)

// parseLengths parses entries such as AD24. The keys of the map are the country codes.
func parseLengths(table string) map[[2]byte]int {
	lengths := map[[2]byte]int{}
	for entry := range strings.FieldsSeq(table) {
		lengths[[2]byte{entry[0], entry[1]}] = int(entry[2]-'0')*10 + int(entry[3]-'0')
	}
	return lengths
}

// minIBAN is the length of the shortest IBAN (Norway).
const minIBAN = 15

// findIBAN finds an account number (ISO 13616), with or without separators. It must have
// the length of its country and valid check digits (ISO 7064).
func findIBAN(text string, at int) (start, end int) {
	if at+minIBAN > len(text) || !isLetter(text[at+1]) {
		return 0, 0
	}
	first := at + 2
	if kind, size := separator(text, first); kind == ' ' || kind == '-' { // DE 89 …
		first += size
	}
	if first+1 >= len(text) || !isDigit(text[first]) || !isDigit(text[first+1]) {
		return 0, 0
	}
	size := ibanLengths[[2]byte{text[at] &^ 0x20, text[at+1] &^ 0x20}]
	if size == 0 {
		return 0, 0
	}
	number := make([]byte, 0, 34)
	number = append(number, text[at], text[at+1])
	i := first
	for len(number) < size {
		if kind, width := separator(text, i); i > first && (kind == ' ' || kind == '-' || kind == '.') {
			i += width
		}
		if i >= len(text) || !isWord(text[i]) {
			return 0, 0
		}
		number = append(number, text[i])
		i++
	}
	if !endsWord(text, i) || !mod97(number) {
		return 0, 0
	}
	return at, i
}

// mod97 reports whether the check digits are valid (ISO 7064). The first four characters
// are moved to the end, and letters count as 10 to 35. The remainder must be 1.
func mod97(number []byte) bool {
	remainder := 0
	for i := range number {
		b := number[(i+4)%len(number)]
		if isDigit(b) {
			remainder = (remainder*10 + int(b-'0')) % 97
		} else {
			remainder = (remainder*100 + int(b&^0x20-'A') + 10) % 97
		}
	}
	return remainder == 1
}
