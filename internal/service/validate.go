package service

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// faults maps the invalid fields of a request to their faults.
type faults map[string]string

func (f faults) add(field, fault string) {
	if fault != "" {
		f[field] = fault
	}
}

func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return Invalid(f)
}

// textFault returns the fault of a string that must have minLen to maxLen
// characters, or "" if it is valid.
func textFault(s string, minLen, maxLen int) string {
	switch n := utf8.RuneCountInString(s); {
	case strings.ContainsRune(s, 0):
		return "must not contain NUL"
	case !utf8.ValidString(s):
		return "must be valid UTF-8"
	case n < minLen || n > maxLen:
		return fmt.Sprintf("must be %d to %d characters", minLen, maxLen)
	default:
		return ""
	}
}

// nameFault returns the fault of a name without surrounding white space.
func nameFault(name string) string { return lineFault(name, 1, 100) }

// lineFault is like textFault for a string that is displayed on one line. If
// minLen is positive, the string must have a visible character.
func lineFault(s string, minLen, maxLen int) string {
	if fault := textFault(s, minLen, maxLen); fault != "" {
		return fault
	}
	switch {
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Cc, r) || r == '\u2028' || r == '\u2029' }):
		return "must not contain control characters or line breaks"
	case minLen > 0 && !strings.ContainsFunc(s, isVisible):
		return "must contain a visible character"
	default:
		return ""
	}
}

// isVisible reports whether a character is visible on its own.
func isVisible(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.Is(unicode.M, r) && !slices.Contains(blank, r)
}

// blank lists the letters and symbols without a visible glyph.
var blank = []rune{'\u115f', '\u1160', '\u2800', '\u3164', '\uffa0'}

var slugForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func slugFault(slug string) string {
	switch {
	case len(slug) < 1 || len(slug) > 63:
		return "must be 1 to 63 characters"
	case !slugForm.MatchString(slug):
		return "must be lowercase letters and digits, separated by single hyphens"
	default:
		return ""
	}
}

func emailFault(email string) string {
	address, err := mail.ParseAddress(email)
	switch {
	case strings.ContainsFunc(email, func(r rune) bool { return unicode.In(r, unicode.C, unicode.Z) }):
		return "must not contain white space, control or invisible characters"
	case err != nil, address.Address != email:
		return "must be an email address such as ada@example.com"
	case len(email) > 254:
		return "must be at most 254 characters"
	default:
		return ""
	}
}

func roleFault(role promptrails.Role) string {
	if !policy.IsRole(string(role)) {
		return "must be owner, admin or user"
	}
	return ""
}
