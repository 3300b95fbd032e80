package masking

import (
	"encoding/base64"
	"strings"

	"github.com/go-json-experiment/json"
)

func isToken(b byte) bool { return isWord(b) || b == '_' || b == '-' }

// beginsToken reports whether a token can start at offset at.
func beginsToken(text string, at int) bool {
	return at == 0 || !isToken(text[at-1]) || afterEscape(text, at)
}

// findJWT finds a signed token with three parts (RFC 7515) or an encrypted token with
// five parts (RFC 7516). The header must contain an algorithm.
func findJWT(text string, at int) (start, end int) {
	if !strings.HasPrefix(text[at:], "eyJ") || !beginsToken(text, at) {
		return 0, 0
	}
	const maxParts = 5
	var ends [maxParts]int
	parts := 0
	for i := at; parts < maxParts; parts++ {
		ends[parts] = run(text, i, len(text), isToken)
		if ends[parts] == len(text) || text[ends[parts]] != '.' {
			parts++
			break
		}
		i = ends[parts] + 1
	}
	var header struct {
		Algorithm  string `json:"alg"`
		Encryption string `json:"enc"`
	}
	if parts < 3 || !decodes(text[at:ends[0]], &header) || header.Algorithm == "" {
		return 0, 0
	}
	if header.Encryption != "" {
		return at, ends[4] // 0 if there are fewer than five parts
	}
	if ends[1] == ends[0]+1 || header.Algorithm != "none" && ends[2] == ends[1]+1 {
		return 0, 0 // no payload, or no signature
	}
	return at, ends[2]
}

// decodes decodes a part of a token as JSON. It reports whether that succeeded.
func decodes(part string, into any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}

// awsPrefixes are the prefixes of access key IDs: of users, of temporary credentials
// and of services.
var awsPrefixes = []string{"AKIA", "ASIA", "ABIA", "ACCA"}

// findAWSKey finds an access key ID, which is a prefix and 16 upper-case letters and
// digits, or a secret access key, which is recognized by the name before it.
func findAWSKey(text string, at int) (start, end int) {
	const size = 20
	if text[at] != 'A' {
		return findAWSSecret(text, at)
	}
	for _, prefix := range awsPrefixes {
		if strings.HasPrefix(text[at:], prefix) {
			end = run(text, at, size+1, func(b byte) bool { return isDigit(b) || b-'A' < 26 })
			if end-at == size && endsWord(text, end) {
				return at, end
			}
		}
	}
	return 0, 0
}

// findAWSSecret finds the value of a field such as aws_secret_access_key.
func findAWSSecret(text string, at int) (start, end int) {
	const size = 40
	if !namesSecret(text, at) || !strings.Contains(wordsBefore(text, at, 32), "aws") {
		return 0, 0
	}
	start, end = findAssigned(text, at)
	if end-start != size {
		return 0, 0
	}
	return start, end
}

const dashes = "-----"

// findPrivateKey finds a private key in PEM (RFC 7468, RFC 9580), including its first
// and last lines. If the last line is missing, the match ends with the base64 data.
func findPrivateKey(text string, at int) (start, end int) {
	begin := dashes + "BEGIN "
	if text[at] == 'L' {
		return findEncodedKey(text, at)
	}
	if !strings.HasPrefix(text[at:], begin) {
		return 0, 0
	}
	label, _, ok := strings.Cut(text[at+len(begin):min(len(text), at+len(begin)+80)], dashes)
	if !ok || !strings.HasSuffix(strings.TrimSuffix(label, " BLOCK"), "PRIVATE KEY") {
		return 0, 0
	}
	body := at + len(begin) + len(label) + len(dashes)
	limit := len(text) // the key ends here at the latest
	if next := strings.Index(text[body:], dashes); next >= 0 {
		limit = body + next
		if last := dashes + "END " + label + dashes; strings.HasPrefix(text[limit:], last) && countBase64(text[body:limit]) >= minKey {
			return at, limit + len(last)
		}
	}
	return at, endOfArmor(text, body, limit)
}

// findEncodedKey finds a private key in PEM that is additionally base64-encoded, as in
// Kubernetes secrets.
func findEncodedKey(text string, at int) (start, end int) {
	const (
		begin = "LS0tLS1CRUdJTi" // -----BEGIN
		label = 80
	)
	if !strings.HasPrefix(text[at:], begin) || !beginsWord(text, at) {
		return 0, 0
	}
	end = run(text, at, len(text), isBase64)
	decoded, err := base64.StdEncoding.DecodeString(text[at : at+min(label, (end-at)/4*4)])
	if err != nil || !strings.Contains(string(decoded), "PRIVATE KEY") {
		return 0, 0
	}
	return at, end
}

const (
	minKey     = 40 // characters of base64
	minKeyLine = 16
)

func isBase64(b byte) bool { return isWord(b) || b == '+' || b == '/' || b == '=' }

// countBase64 counts the base64 characters in runs of at least minKeyLine characters.
func countBase64(text string) (n int) {
	for i := 0; i < len(text); {
		end := run(text, i, len(text), isBase64)
		if end-i >= minKeyLine {
			n += end - i
		}
		i = max(end, i+1)
	}
	return n
}

// endOfArmor returns the end of the base64 lines that start at offset at, or 0 if they
// are too short for a key. Between the lines there can be a gap, such as quotes and
// operators in source code.
func endOfArmor(text string, at, limit int) int {
	const longestGap = 32
	end, n := 0, 0
	for i, gap := at, 0; i < limit && gap <= longestGap; {
		next := run(text[:limit], i, limit, isBase64)
		if next-i < minKeyLine {
			next = max(next, i+1)
			gap += next - i
			i = next
			continue
		}
		n += next - i
		end, i, gap = next, next, 0
	}
	if n < minKey {
		return 0
	}
	return end
}
