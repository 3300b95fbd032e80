package seal_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/seal"
)

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

func TestOpensWhereItWasSealed(t *testing.T) {
	t.Parallel()
	sealed := ring(t, 1).Seal(home, []byte("secret"))
	if bytes.Contains(sealed, []byte("secret")) || bytes.Equal(sealed, ring(t, 1).Seal(home, []byte("secret"))) {
		t.Error("what is sealed shows, or is sealed alike twice")
	}
	for name, at := range map[string]seal.Place{
		"another workspace": {"w2", "t", "c", "r"}, "another table": {"w1", "u", "c", "r"}, "another column": {"w1", "t", "d", "r"},
		"another row": {"w1", "t", "c", "s"}, "parts that run together": {"w1t", "", "c", "r"},
	} {
		if got, err := ring(t, 1).Open(at, sealed); err == nil {
			t.Errorf("%s opens: %q", name, got)
		}
	}
	got, err := ring(t, 1).Open(home, sealed)
	if err != nil || string(got) != "secret" {
		t.Errorf("%q, %v", got, err)
	}
	for i := range sealed {
		altered := bytes.Clone(sealed)
		altered[i] ^= 1
		if _, err := ring(t, 1).Open(home, altered); err == nil {
			t.Errorf("altered at byte %d it opens", i)
		}
	}
	for i := range sealed {
		if _, err := ring(t, 1).Open(home, sealed[:i]); err == nil {
			t.Errorf("cut to %d bytes it opens", i)
		}
	}
}

func TestMasterKeysChange(t *testing.T) {
	t.Parallel()
	sealed := ring(t, 1).Seal(home, []byte("secret"))
	if got, err := ring(t, 2, 1).Open(home, sealed); err != nil || string(got) != "secret" {
		t.Errorf("under a previous key: %q, %v", got, err)
	}
	if _, err := ring(t, 2).Open(home, sealed); !errors.Is(err, seal.ErrUnknownKey) {
		t.Errorf("under a key that was not given: %v", err)
	}
	mac := ring(t, 1).MAC([]byte("a"), []byte("b"))
	if !ring(t, 2, 1).CheckMAC(mac, []byte("a"), []byte("b")) || ring(t, 2).CheckMAC(mac, []byte("a"), []byte("b")) {
		t.Error("a digest does not name its key")
	}
	if ring(t, 1).CheckMAC(mac, []byte("ab"), nil) || ring(t, 1).CheckMAC(mac, []byte("a")) || ring(t, 1).CheckMAC(nil, []byte("a")) {
		t.Error("a digest fits other parts")
	}
	if _, err := seal.NewRing(make([]byte, 16)); err == nil {
		t.Error("a key of 16 bytes was taken")
	}
}
