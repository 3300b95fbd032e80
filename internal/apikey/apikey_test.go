package apikey_test

import (
	"strings"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/apikey"
)

func TestMint(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		key := apikey.Mint()
		if len(key) != 57 || !apikey.IsKey(key) || !apikey.HasChecksum(key) || seen[key] {
			t.Fatalf("a key of %d characters", len(key))
		}
		seen[key] = true
	}
}

// Whatever single character is mistyped, or two that are swapped, the checksum
// tells.
func TestChecksum(t *testing.T) {
	t.Parallel()
	key := apikey.Mint()
	for i := len("pr_live_"); i < len(key); i++ {
		for _, c := range []byte("0Az") {
			if mistyped := key[:i] + string(c) + key[i+1:]; mistyped != key && apikey.HasChecksum(mistyped) {
				t.Errorf("mistyped at %d it still fits", i)
			}
		}
		if i+1 < len(key) {
			swapped := key[:i] + key[i+1:i+2] + key[i:i+1] + key[i+2:]
			if swapped != key && apikey.HasChecksum(swapped) {
				t.Errorf("swapped at %d it still fits", i)
			}
		}
	}
	// A fixed key, so that its form cannot change unseen.
	if !apikey.HasChecksum("pr_live_00000000000000000000000000000000000000000014OogJJ") {
		t.Error("the form has changed")
	}
}

func TestIsKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"pr_live_x": true, "pr_key_abc": true, "pr_!~": true, "pr_": false, "": false, "sk-x": false, "PR_live_x": false,
		"pr_a b": false, "pr_\n": false, "pr_é": false, "pr_\x7f": false, "pr_" + strings.Repeat("x", 509): true, "pr_" + strings.Repeat("x", 510): false,
	} {
		if apikey.IsKey(key) != want {
			t.Errorf("IsKey(%.20q) is not %t", key, want)
		}
	}
	begins, last4 := apikey.Shown("pr_live_abcdefghijklmnopqrstuvwxyz")
	if begins != "pr_live_abcd" || last4 != "wxyz" {
		t.Errorf("shown: %s %s", begins, last4)
	}
	if _, last4 := apikey.Shown("pr_short"); last4 != "" {
		t.Errorf("a short key shows %s", last4)
	}
}

func FuzzKey(f *testing.F) {
	f.Add("pr_live_x")
	f.Add(apikey.Mint())
	f.Fuzz(func(t *testing.T, s string) {
		if apikey.HasChecksum(s) && !apikey.IsKey(s) {
			t.Errorf("%q has a checksum, but is no key", s)
		}
		begins, last4 := apikey.Shown(s)
		if len(begins)+len(last4) > 16 || len(s) >= 24 && 2*(len(begins)+len(last4)) > 2*len(s) {
			t.Errorf("%q shows %q and %q", s, begins, last4)
		}
	})
}
