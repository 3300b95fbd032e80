package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/seal"
)

// ring returns a Ring of keys that consist of one repeated byte each. The first
// one seals.
func ring(t *testing.T, keys ...byte) *seal.Ring {
	t.Helper()
	var all [][]byte
	for _, k := range keys {
		all = append(all, bytes.Repeat([]byte{k}, seal.KeySize))
	}
	r, err := seal.NewRing(all[0], all[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var home = seal.Place{Workspace: "w1", Table: "t", Column: "c", Row: "r"}

// A sealed value can be opened only at the place that it was sealed for, and only
// if it is unaltered.
func TestOpenRequiresSamePlace(t *testing.T) {
	t.Parallel()
	sealed := ring(t, 1).Seal(home, []byte("secret"))
	if bytes.Contains(sealed, []byte("secret")) {
		t.Errorf("Seal: got %q, want no plain text in it", sealed)
	}
	if bytes.Equal(sealed, ring(t, 1).Seal(home, []byte("secret"))) {
		t.Error("Seal of the same value again: got the same bytes, want different ones")
	}
	for name, at := range map[string]seal.Place{
		"another workspace": {"w2", "t", "c", "r"}, "another table": {"w1", "u", "c", "r"}, "another column": {"w1", "t", "d", "r"},
		"another row": {"w1", "t", "c", "s"}, "shifted parts": {"w1t", "", "c", "r"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := ring(t, 1).Open(at, sealed); err == nil {
				t.Errorf("Open at %+v: got %q, want an error", at, got)
			}
		})
	}
	got, err := ring(t, 1).Open(home, sealed)
	if err != nil || string(got) != "secret" {
		t.Errorf("Open: got %q, %v, want %q", got, err, "secret")
	}
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		if _, err := ring(t, 1).Open(home, altered); err == nil {
			t.Errorf("Open of a value altered at byte %d: got no error, want one", i)
		}
	}
	for i := range sealed {
		if _, err := ring(t, 1).Open(home, sealed[:i]); err == nil {
			t.Errorf("Open of a value truncated to %d bytes: got no error, want one", i)
		}
	}
}

// After a change of the master key, values and digests of a previous key are
// accepted if that key is given.
func TestPreviousMasterKeys(t *testing.T) {
	t.Parallel()
	sealed := ring(t, 1).Seal(home, []byte("secret"))
	if got, err := ring(t, 2, 1).Open(home, sealed); err != nil || string(got) != "secret" {
		t.Errorf("Open with a previous key: got %q, %v, want %q", got, err, "secret")
	}
	if _, err := ring(t, 2).Open(home, sealed); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("Open without the key: got %v, want ErrUnknownKey", err)
	}
	mac := ring(t, 1).MAC([]byte("a"), []byte("b"))
	if !ring(t, 2, 1).CheckMAC(mac, []byte("a"), []byte("b")) {
		t.Error("CheckMAC with a previous key: got false, want true")
	}
	if ring(t, 2).CheckMAC(mac, []byte("a"), []byte("b")) {
		t.Error("CheckMAC without the key: got true, want false")
	}
	if ring(t, 1).CheckMAC(mac, []byte("ab"), nil) || ring(t, 1).CheckMAC(mac, []byte("a")) || ring(t, 1).CheckMAC(nil, []byte("a")) {
		t.Error("CheckMAC with other parts or without a digest: got true, want false")
	}
	if _, err := seal.NewRing(make([]byte, 16)); err == nil {
		t.Error("NewRing with a key of 16 bytes: got no error, want one")
	}
}
