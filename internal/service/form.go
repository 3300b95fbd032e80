package service

import (
	"fmt"
	"iter"
	"net/mail"
	"regexp"
	"strings"
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

// nameFault says what is wrong with a name, which stands trimmed.
func nameFault(name string) string { return textFault(name, 1, 100) }

var slugForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func slugFault(slug string) string {
	switch {
	case len(slug) < 1 || len(slug) > 63:
		return "must be 1 to 63 characters"
	case !slugForm.MatchString(slug):
		return "must be lowercase letters, digits and hyphens, which stand between them one at a time"
	default:
		return ""
	}
}

func emailFault(email string) string {
	address, err := mail.ParseAddress(email)
	switch {
	case err != nil, address.Address != email:
		return "must be an address such as ada@example.com"
	case len(email) > 254:
		return "must be at most 254 characters"
	case strings.ContainsFunc(email, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return "must not contain spaces or control characters"
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

// splitTags yields the entity tags of an If-Match header.
func splitTags(header string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for tag := range strings.SplitSeq(header, ",") {
			if !yield(strings.TrimSpace(tag)) {
				return
			}
		}
	}
}
