// Package seal keeps secrets at rest: AES-256-GCM under a master key that can
// be changed, each value bound to the row that it stands in.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// KeySize is the length of a master key in bytes.
const KeySize = 32

const (
	version   = 1
	keyIDSize = 8
)

// ErrUnknownKey says that a value was sealed under a master key that is not in
// the ring.
var ErrUnknownKey = errors.New("sealed under a master key that was not given")

// Place is where a sealed value stands. It opens nowhere else.
type Place struct{ Workspace, Table, Column, Row string }

// additionalData joins the parts so that no two places come out alike.
func (p Place) additionalData() []byte {
	var b []byte
	for _, part := range []string{p.Workspace, p.Table, p.Column, p.Row} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return b
}

type key struct {
	id   []byte
	aead cipher.AEAD
	mac  []byte
}

// Ring is the current master key and those before it.
type Ring struct{ keys []key }

// NewRing returns a ring that seals under current and opens under any.
func NewRing(current []byte, previous ...[]byte) (*Ring, error) {
	r := &Ring{}
	for _, master := range append([][]byte{current}, previous...) {
		k, err := newKey(master)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, k)
	}
	return r, nil
}

func newKey(master []byte) (key, error) {
	if len(master) != KeySize {
		return key{}, fmt.Errorf("a master key has %d bytes, this one %d", KeySize, len(master))
	}
	// The master key itself is never used: each purpose has a key of its own.
	derive := func(purpose string, size int) ([]byte, error) {
		return hkdf.Key(sha256.New, master, nil, "promptrails-go "+purpose, size)
	}
	id, err1 := derive("key id", keyIDSize)
	enc, err2 := derive("seal", KeySize)
	mac, err3 := derive("mac", KeySize)
	if err := errors.Join(err1, err2, err3); err != nil {
		return key{}, err
	}
	block, err := aes.NewCipher(enc)
	if err != nil {
		return key{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return key{}, err
	}
	return key{id: id, aead: aead, mac: mac}, nil
}

// Seal returns plaintext sealed under the current key, for that place alone.
func (r *Ring) Seal(at Place, plaintext []byte) []byte {
	return r.keys[0].aead.Seal(r.Prefix(), nil, plaintext, at.additionalData()) //nolint:gosec // this AEAD makes its nonce itself
}

// Prefix is how everything begins that is sealed under the current key.
func (r *Ring) Prefix() []byte { return append([]byte{version}, r.keys[0].id...) }

// Open returns what was sealed for that place.
func (r *Ring) Open(at Place, sealed []byte) ([]byte, error) {
	if len(sealed) < 1+keyIDSize || sealed[0] != version {
		return nil, errors.New("not a sealed value")
	}
	id, body := sealed[1:1+keyIDSize], sealed[1+keyIDSize:]
	for _, k := range r.keys {
		if bytes.Equal(k.id, id) {
			plaintext, err := k.aead.Open(nil, nil, body, at.additionalData())
			if err != nil {
				return nil, errors.New("the sealed value was altered, or stands in another place than it was sealed for")
			}
			return plaintext, nil
		}
	}
	return nil, ErrUnknownKey
}

// MAC returns a keyed digest of the parts that names its key.
func (r *Ring) MAC(parts ...[]byte) []byte { return r.keys[0].digest(parts) }

// CheckMAC reports whether digest is the MAC of the parts, under whichever key
// of the ring it names.
func (r *Ring) CheckMAC(digest []byte, parts ...[]byte) bool {
	for _, k := range r.keys {
		if bytes.HasPrefix(digest, k.id) {
			return hmac.Equal(digest, k.digest(parts))
		}
	}
	return false
}

func (k key) digest(parts [][]byte) []byte {
	mac := hmac.New(sha256.New, k.mac)
	for _, part := range parts {
		mac.Write(binary.AppendUvarint(nil, uint64(len(part))))
		mac.Write(part)
	}
	return mac.Sum(bytes.Clone(k.id))
}
