package apikey_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/apikey"
)

// Mint returns unique keys of 57 characters with a valid checksum.
func TestMint(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		key := apikey.Mint()
		if len(key) != 57 || !apikey.IsKey(key) || !apikey.HasChecksum(key) || seen[key] {
			t.Fatalf("Mint: got a key of %d characters, IsKey %t, HasChecksum %t, seen before %t, want 57, true, true, false", len(key), apikey.IsKey(key), apikey.HasChecksum(key), seen[key])
		}
		seen[key] = true
	}
}

// The checksum detects any mistyped character and any two swapped characters.
func TestChecksum(t *testing.T) {
	t.Parallel()
	key := apikey.Mint()
	for i := len("pr_live_"); i < len(key); i++ {
		for _, c := range []byte("0Az") {
			if mistyped := key[:i] + string(c) + key[i+1:]; mistyped != key && apikey.HasChecksum(mistyped) {
				t.Errorf("HasChecksum of a key with a mistyped character at %d: got true, want false", i)
			}
		}
		if i+1 < len(key) {
			swapped := key[:i] + key[i+1:i+2] + key[i:i+1] + key[i+2:]
			if swapped != key && apikey.HasChecksum(swapped) {
				t.Errorf("HasChecksum of a key with characters swapped at %d: got true, want false", i)
			}
		}
	}
	// A fixed key detects a change of the format.
	if !apikey.HasChecksum("pr_live_00000000000000000000000000000000000000000014OogJJ") {
		t.Error("HasChecksum of the fixed key: got false, want true")
	}
}

func TestIsKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"pr_live_x": true, "pr_key_abc": true, "pr_!~": true, "pr_": false, "": false, "sk-x": false, "PR_live_x": false,
		"pr_a b": false, "pr_\n": false, "pr_é": false, "pr_\x7f": false, "pr_" + strings.Repeat("x", 509): true, "pr_" + strings.Repeat("x", 510): false,
	} {
		t.Run(fmt.Sprintf("%.20s, %d bytes", key, len(key)), func(t *testing.T) {
			t.Parallel()
			if got := apikey.IsKey(key); got != want {
				t.Errorf("IsKey(%.20q): got %t, want %t", key, got, want)
			}
		})
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	prefix, last4 := apikey.Shown("pr_live_abcdefghijklmnopqrstuvwxyz")
	if prefix != "pr_live_abcd" || last4 != "wxyz" {
		t.Errorf("Shown: got %q and %q, want %q and %q", prefix, last4, "pr_live_abcd", "wxyz")
	}
	if _, last4 := apikey.Shown("pr_short"); last4 != "" {
		t.Errorf("last characters of a short key: got %q, want none", last4)
	}
}

func FuzzKey(f *testing.F) {
	f.Add("pr_live_x")
	f.Add(apikey.Mint())
	f.Fuzz(func(t *testing.T, s string) {
		if apikey.HasChecksum(s) && !apikey.IsKey(s) {
			t.Errorf("IsKey(%q): got false, want true for a key with a checksum", s)
		}
		prefix, last4 := apikey.Shown(s)
		if len(prefix)+len(last4) > 16 || len(s) >= 24 && 2*(len(prefix)+len(last4)) > 2*len(s) {
			t.Errorf("Shown(%q): got %q and %q, want at most 16 characters", s, prefix, last4)
		}
	})
}
