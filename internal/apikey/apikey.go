// Package apikey generates and parses the API keys of the service.
//
// A key consists of "pr_live_", 43 base62 characters of a random 256-bit value,
// and 6 base62 characters with the CRC-32 (IEEE) of the preceding characters. The
// checksum detects mistyped keys without a look-up. The vendor's keys also begin
// with "pr_"; the rest of their format is unknown.
package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"strings"

	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// Prefix is the prefix of every API key, including the vendor's keys. No other
// kind of token has this prefix.
const Prefix = "pr_"

const (
	prefix     = Prefix + "live_"
	randomSize = 43
	checkSize  = 6
	size       = len(prefix) + randomSize + checkSize
	alphabet   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// MaxSize is the maximum length of a key in bytes, including the vendor's keys.
const MaxSize = 512

// Mint returns a new random key.
func Mint() string {
	key := Token(prefix)
	return key + checksum(key)
}

// Token returns the prefix followed by 43 base62 characters of a random 256-bit
// value.
func Token(prefix string) string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	return prefix + base62(new(big.Int).SetBytes(random[:]), randomSize)
}

// IsKey reports whether s has the form of a key, including the vendor's keys: it
// begins with [Prefix] and consists of visible ASCII characters, [MaxSize] at
// most.
func IsKey(s string) bool {
	return len(s) > len(Prefix) && len(s) <= MaxSize && strings.HasPrefix(s, Prefix) && policy.VisibleASCII(s)
}

// HasChecksum reports whether s has the form of a key of the service and a
// correct checksum.
func HasChecksum(s string) bool {
	if len(s) != size || !strings.HasPrefix(s, prefix) {
		return false
	}
	for i := len(prefix); i < size; i++ {
		if strings.IndexByte(alphabet, s[i]) < 0 {
			return false
		}
	}
	return checksum(s[:size-checkSize]) == s[size-checkSize:]
}

// Hash returns the SHA-256 of a key. The service stores the hash in place of the
// key, and looks keys up by it.
func Hash(key string) [sha256.Size]byte {
	var buf [128]byte // on the stack, unless the key is longer
	return sha256.Sum256(append(buf[:0], key...))
}

// Shown returns the parts of a key that may be shown: its first and its last four
// characters. Of a key shorter than 24 bytes it only returns [Prefix].
func Shown(key string) (begins, last4 string) {
	if len(key) < 24 {
		return Prefix, ""
	}
	return key[:len(prefix)+4], key[len(key)-4:]
}

func checksum(s string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(s)))), checkSize)
}

// base62 returns n in base 62, with the given number of digits.
func base62(n *big.Int, digits int) string {
	out := make([]byte, digits)
	base, digit := big.NewInt(int64(len(alphabet))), new(big.Int)
	for i := range out {
		n.DivMod(n, base, digit)
		out[digits-1-i] = alphabet[digit.Int64()]
	}
	return string(out)
}
