// Package seal encrypts secrets at rest with AES-256-GCM. The keys are derived
// from a master key, which can be rotated. The additional data binds each value
// to its database row.
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

// ErrUnknownKey is returned for a value that was sealed under a master key that
// is not in the key ring.
var ErrUnknownKey = errors.New("sealed under an unknown master key")

// Place is the additional data of a sealed value: the location where it is
// stored. A value can only be opened with the same Place.
type Place struct{ Workspace, Table, Column, Row string }

// additionalData encodes p with length prefixes, so that different places have
// different encodings.
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

// Ring is a key ring: the current master key and the previous ones.
type Ring struct{ keys []key }

// NewRing returns a key ring that seals with current and opens with any of the
// keys. Each key must be [KeySize] bytes.
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
		return key{}, fmt.Errorf("invalid master key: must be %d bytes, is %d", KeySize, len(master))
	}
	// The master key is only used to derive a key for each purpose.
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

// Seal encrypts plaintext under the current key, with at as the additional data.
func (r *Ring) Seal(at Place, plaintext []byte) []byte {
	return r.keys[0].aead.Seal(r.Prefix(), nil, plaintext, at.additionalData()) //nolint:gosec // this AEAD generates the nonce
}

// Prefix returns the first bytes of every value sealed under the current key:
// the version and the key id.
func (r *Ring) Prefix() []byte { return append([]byte{version}, r.keys[0].id...) }

// Open decrypts a value that was sealed with the additional data at. It returns
// [ErrUnknownKey] if the key is not in the key ring.
func (r *Ring) Open(at Place, sealed []byte) ([]byte, error) {
	if len(sealed) < 1+keyIDSize || sealed[0] != version {
		return nil, errors.New("not a sealed value")
	}
	id, body := sealed[1:1+keyIDSize], sealed[1+keyIDSize:]
	for _, k := range r.keys {
		if bytes.Equal(k.id, id) {
			plaintext, err := k.aead.Open(nil, nil, body, at.additionalData())
			if err != nil {
				return nil, errors.New("the sealed value was modified or was sealed for another row")
			}
			return plaintext, nil
		}
	}
	return nil, ErrUnknownKey
}

// MAC returns the id of the current key followed by the HMAC-SHA256 of the parts.
func (r *Ring) MAC(parts ...[]byte) []byte { return r.keys[0].digest(parts) }

// CheckMAC reports whether digest is the MAC of the parts under the key of the
// key ring that it identifies.
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
