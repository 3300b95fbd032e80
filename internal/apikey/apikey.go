// Package apikey makes and reads the keys of the service: pure functions.
//
// A key is pr_live_, 43 base62 characters of a random 256-bit value, and 6
// base62 characters of CRC-32 (IEEE) over what stands before, which tells a
// mistyped key without asking anyone. The vendor's own keys begin with pr_ too;
// no more is known of them.
package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"hash/crc32"
	"math/big"
	"strings"

	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// Prefix is the beginning of every API key, the vendor's included. No other kind
// of token begins with it.
const Prefix = "pr_"

const (
	prefix     = Prefix + "live_"
	randomSize = 43
	checkSize  = 6
	size       = len(prefix) + randomSize + checkSize
	alphabet   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// MaxSize is more bytes than any key has, the vendor's included.
const MaxSize = 512

// Mint returns a new key.
func Mint() string {
	key := Token(prefix)
	return key + checksum(key)
}

// Token returns a prefix and 43 base62 characters of a random 256-bit value.
func Token(prefix string) string {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	return prefix + base62(new(big.Int).SetBytes(random[:]), randomSize)
}

// IsKey reports whether s can be a key, the vendor's included: printable ASCII
// without spaces that begins with pr_, of at most MaxSize bytes.
func IsKey(s string) bool {
	return len(s) > len(Prefix) && len(s) <= MaxSize && strings.HasPrefix(s, Prefix) && policy.VisibleASCII(s)
}

// HasChecksum reports whether s has the form of the service's own keys, its
// checksum included.
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

// Hash is what is kept of a key, and what it is looked up by.
func Hash(key string) [sha256.Size]byte {
	var room [128]byte // on the stack, for all but an oddly long key
	return sha256.Sum256(append(room[:0], key...))
}

// Shown returns what may be shown of a key: how it begins and its last four
// characters.
func Shown(key string) (begins, last4 string) {
	if len(key) < 24 {
		return Prefix, ""
	}
	return key[:len(prefix)+4], key[len(key)-4:]
}

func checksum(s string) string {
	return base62(big.NewInt(int64(crc32.ChecksumIEEE([]byte(s)))), checkSize)
}

// base62 writes n with that many digits.
func base62(n *big.Int, digits int) string {
	out := make([]byte, digits)
	base, digit := big.NewInt(int64(len(alphabet))), new(big.Int)
	for i := range out {
		n.DivMod(n, base, digit)
		out[digits-1-i] = alphabet[digit.Int64()]
	}
	return string(out)
}
