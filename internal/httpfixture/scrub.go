package httpfixture

import (
	"fmt"
	"regexp"
	"strings"
)

// secrets matches PromptRails keys and tokens: a prefix and random base62 or base64
// characters.
var secrets = regexp.MustCompile(`\b((pat_|inv_|pr_[a-z]+_)[0-9A-Za-z]{20,}|whsec_[0-9A-Za-z+/]{20,}=*)`)

// scrubber replaces secrets and idempotency keys with dummies of the same length,
// numbered from 1 in order of appearance. Equal secrets have the same dummy.
type scrubber struct{ numbers map[string]string }

// number returns the dummy for a secret.
func (s *scrubber) number(secret, prefix string) string {
	if s.numbers == nil {
		s.numbers = map[string]string{}
	}
	dummy, ok := s.numbers[secret]
	if !ok {
		dummy = fmt.Sprintf("%s%0*d", prefix, len(secret)-len(prefix), len(s.numbers)+1)
		s.numbers[secret] = dummy
	}
	return dummy
}

func (s *scrubber) text(text string) string {
	return secrets.ReplaceAllStringFunc(text, func(secret string) string {
		return s.number(secret, secret[:strings.LastIndexByte(secret, '_')+1])
	})
}

func (s *scrubber) header(h map[string]string) map[string]string {
	clean := map[string]string{}
	// Visit the headers in a fixed order, because it determines the numbers.
	for _, names := range [][]string{requestHeaders, responseHeaders} {
		for _, name := range names {
			value, ok := h[name]
			switch {
			case !ok || clean[name] != "":
			case name == "Idempotency-Key":
				clean[name] = s.number(value, "")
			default:
				clean[name] = s.text(value)
			}
		}
	}
	return clean
}

func (s *scrubber) request(r Request) Request {
	r.Header = s.header(r.Header)
	r.Path, r.Query = s.text(r.Path), s.text(r.Query)
	r.Body = Body(s.text(string(r.Body)))
	return r
}

func (s *scrubber) response(r Response) Response {
	r.Header = s.header(r.Header)
	r.Body = Body(s.text(string(r.Body)))
	return r
}
