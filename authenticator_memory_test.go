package promptrails_test

import (
	"reflect"
	"strings"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// No value that an authenticator holds contains a key that it has accepted or rejected.
func TestAuthenticatorStoresNoKeys(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	a := ks.newAuthenticator()
	known, unknown := ks.newKey().Key, promptrails.NewSecret("pr_live_unknown_0123456789")
	checkAuth(t, a, known, promptrails.AuthRequest{}, "")
	checkAuth(t, a, unknown, promptrails.AuthRequest{}, promptrails.CodeInvalidAPIKey)
	texts := textsIn(reflect.ValueOf(a), map[uintptr]bool{})
	if len(texts) < 10 {
		t.Errorf("texts of an authenticator: got %d, want at least 10", len(texts))
	}
	for _, text := range texts {
		for _, key := range []promptrails.Secret{known, unknown} {
			if strings.Contains(text, key.Reveal()) {
				t.Errorf("an authenticator that has checked %s: got the key in %q, want its hash only", key, text)
			}
		}
	}
}

// textsIn returns the strings and bytes in v, also in unexported fields. It does not
// follow a pointer twice.
func textsIn(v reflect.Value, seen map[uintptr]bool) (texts []string) {
	each := func(v reflect.Value) { texts = append(texts, textsIn(v, seen)...) }
	switch v.Kind() { //nolint:exhaustive // the others hold no text
	case reflect.String:
		return []string{v.String()}
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return nil
		}
		seen[v.Pointer()] = true
		each(v.Elem())
	case reflect.Interface:
		each(v.Elem())
	case reflect.Struct:
		for _, field := range v.Fields() {
			each(field)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			var bytes []byte
			for i := range v.Len() {
				bytes = append(bytes, byte(v.Index(i).Uint()))
			}
			return []string{string(bytes)}
		}
		for i := range v.Len() {
			each(v.Index(i))
		}
	case reflect.Map:
		for entry := v.MapRange(); entry.Next(); {
			each(entry.Key())
			each(entry.Value())
		}
	}
	return texts
}
