package masking

import "testing"

// A placeholder that is taken, by a text or by another value, is not used again.
func TestPlaceholdersThatAreTaken(t *testing.T) {
	t.Parallel()
	first := newReplacements()
	p := first.placeholder("email", "ada@example.com")
	second := newReplacements("a text with " + p)
	second.key = first.key
	if got := second.placeholder("email", "ada@example.com"); got == p {
		t.Errorf("got %s, which is in the text, want another one", got)
	}
}
