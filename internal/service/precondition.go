package service

import (
	"net/http"
	"strconv"
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Preconditions are the If-Match and If-None-Match headers of a request (RFC
// 9110, section 13.1).
type Preconditions struct {
	match, noneMatch *entityTags // nil without the header
}

// entityTags are the entity tags of one header.
type entityTags struct {
	any  bool // *
	tags []string
}

// ParsePreconditions parses the If-Match and If-None-Match headers. Weak tags
// are invalid, since this service only has strong tags.
func ParsePreconditions(h http.Header) (p Preconditions, err error) {
	bad := faults{}
	for name, into := range map[string]**entityTags{"If-Match": &p.match, "If-None-Match": &p.noneMatch} {
		values := h.Values(name)
		if len(values) == 0 {
			continue
		}
		tags, ok := parseTags(strings.Join(values, ","))
		if !ok {
			bad.add(name, `must be * or quoted versions, such as "3"`)
			continue
		}
		*into = tags
	}
	return p, bad.err()
}

// maxTags is the maximum number of entity tags in the values of one header.
const maxTags = 100

func parseTags(text string) (*entityTags, bool) {
	if strings.TrimSpace(text) == "*" {
		return &entityTags{any: true}, true
	}
	parts := strings.Split(text, ",") // the tags of this service have no commas
	tags := make([]string, 0, len(parts))
	for _, part := range parts {
		tag := strings.TrimSpace(part)
		if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' || strings.Contains(tag[1:len(tag)-1], `"`) {
			return nil, false
		}
		tags = append(tags, tag)
	}
	return &entityTags{tags: tags}, len(tags) <= maxTags
}

func (t *entityTags) has(tag string) bool {
	if t.any {
		return tag != ""
	}
	for _, each := range t.tags {
		if tag != "" && each == tag {
			return true
		}
	}
	return false
}

// given returns the names of the precondition headers in the request.
func (p Preconditions) given() (names []string) {
	if p.match != nil {
		names = append(names, "If-Match")
	}
	if p.noneMatch != nil {
		names = append(names, "If-None-Match")
	}
	return names
}

// judge evaluates the preconditions for the tag of the object. The tag is empty
// if the object does not exist. It returns status 412 if a precondition fails.
func (p Preconditions) judge(tag string) error {
	failed := func(format string, args ...any) error {
		return refuse(http.StatusPreconditionFailed, promptrails.CodePreconditionFailed, format, args...)
	}
	switch {
	case p.match != nil && !p.match.has(tag) && tag == "":
		return failed("If-Match failed: the object does not exist")
	case p.match != nil && !p.match.has(tag):
		return failed("If-Match failed: the current version is %s; read the object again", tag)
	case p.noneMatch != nil && p.noneMatch.has(tag):
		return failed("If-None-Match failed: the object exists at version %s", tag)
	default:
		return nil
	}
}

// NotModified evaluates the preconditions of a GET. It reports whether the
// response is 304 Not Modified.
func (p Preconditions) NotModified(tag string) (bool, error) {
	if tag == "" {
		return false, p.doNotApply()
	}
	if p.noneMatch != nil && p.noneMatch.has(tag) {
		return true, nil
	}
	return false, Preconditions{match: p.match}.judge(tag)
}

// doNotApply returns an error if the request has preconditions. It is used for
// requests without a versioned object.
func (p Preconditions) doNotApply() error {
	bad := faults{}
	for _, name := range p.given() {
		bad.add(name, "does not apply to this request: it has no single versioned object")
	}
	return bad.err()
}

// match evaluates the preconditions for the version of the object to be
// changed. The version is 0 if the object does not exist.
func (x *Session) match(version int64) error {
	x.matched = true
	if version == 0 {
		return x.preconditions.judge("")
	}
	return x.preconditions.judge(strconv.Quote(strconv.FormatInt(version, 10)))
}
