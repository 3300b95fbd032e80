package masking

import "testing"

// TestPlaceholderAvoidsTexts checks that a placeholder that occurs in a text is not
// used for a value.
func TestPlaceholderAvoidsTexts(t *testing.T) {
	t.Parallel()
	first := newReplacements()
	p := first.placeholder("email", "ada@example.com")
	second := newReplacements("a text with " + p)
	second.key = first.key
	if got := second.placeholder("email", "ada@example.com"); got == p {
		t.Errorf("placeholder: got %s, which is in the text; want a different one", got)
	}
}
