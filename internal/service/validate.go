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

// faults gathers what is wrong with the fields of a request.
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

// textFault says what is wrong with a text of that many characters.
func textFault(s string, least, most int) string {
	switch n := utf8.RuneCountInString(s); {
	case strings.ContainsRune(s, 0):
		return "must not contain NUL"
	case n < least || n > most:
		return fmt.Sprintf("must be %d to %d characters", least, most)
	default:
		return ""
	}
}

// nameFault says what is wrong with a name, which is trimmed already.
func nameFault(name string) string { return lineFault(name, 1, 100) }

// lineFault is textFault for a text that people read on one line. If it must not
// be empty, there must be something to see in it.
func lineFault(s string, least, most int) string {
	if fault := textFault(s, least, most); fault != "" {
		return fault
	}
	switch {
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Cc, r) || r == '\u2028' || r == '\u2029' }):
		return "must not contain control characters or line breaks"
	case least > 0 && !strings.ContainsFunc(s, isVisible):
		return "must contain a visible character"
	default:
		return ""
	}
}

// isVisible reports whether a character leaves ink by itself.
func isVisible(r rune) bool {
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && !unicode.Is(unicode.M, r) && !slices.Contains(blank, r)
}

// blank are letters and symbols that show nothing.
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
		return "must be an address such as ada@example.com"
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
