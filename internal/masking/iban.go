package masking

import "strings"

// ibanLengths are the lengths by country, of the registry of ISO 13616.
var ibanLengths = parseLengths(`AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28
	EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32
	LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33
	SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30`)

// parseLengths reads entries such as AD24, by the country as two bytes.
func parseLengths(table string) map[[2]byte]int {
	lengths := map[[2]byte]int{}
	for entry := range strings.FieldsSeq(table) {
		lengths[[2]byte{entry[0], entry[1]}] = int(entry[2]-'0')*10 + int(entry[3]-'0')
	}
	return lengths
}

const leastIBAN = 15 // Norway's

// findIBAN finds an account number (ISO 13616) of the length that its country
// has, with the check of ISO 7064, written together or in groups of four.
func findIBAN(text string, at int) (start, end int) {
	if at+leastIBAN > len(text) || !isLetter(text[at+1]) || !isDigit(text[at+2]) || !isDigit(text[at+3]) {
		return 0, 0
	}
	size := ibanLengths[[2]byte{text[at] &^ 0x20, text[at+1] &^ 0x20}]
	if size == 0 {
		return 0, 0
	}
	grouped := text[at+4] == ' '
	var number [34]byte
	i := at
	for n := range size {
		if grouped && n > 0 && n%4 == 0 {
			if i >= len(text) || text[i] != ' ' {
				return 0, 0
			}
			i++
		}
		if i >= len(text) || !isWord(text[i]) {
			return 0, 0
		}
		number[n] = text[i]
		i++
	}
	if !mod97(number[:size]) {
		return 0, 0
	}
	return at, i
}

// mod97 is the check of ISO 7064: letters count as 10 to 35, the first four
// characters stand last, and the remainder is 1.
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
