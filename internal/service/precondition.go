package service

import (
	"net/http"
	"strconv"
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Preconditions are the headers If-Match and If-None-Match of a request (RFC
// 9110, section 13.1).
type Preconditions struct {
	match, noneMatch *entityTags // nil without the header
}

// entityTags are those of one header.
type entityTags struct {
	any  bool // *
	tags []string
}

// ParsePreconditions reads the two headers. Weak tags are refused: every tag of
// this service is strong.
func ParsePreconditions(h http.Header) (p Preconditions, err error) {
	bad := faults{}
	for name, into := range map[string]**entityTags{"If-Match": &p.match, "If-None-Match": &p.noneMatch} {
		values := h.Values(name)
		if len(values) == 0 {
			continue
		}
		tags, ok := parseTags(strings.Join(values, ","))
		if !ok {
			bad.add(name, `must be * or versions in quotation marks, such as "3"`)
			continue
		}
		*into = tags
	}
	return p, bad.err()
}

// maxTags is the most entity tags of a header.
const maxTags = 100

func parseTags(text string) (*entityTags, bool) {
	if strings.TrimSpace(text) == "*" {
		return &entityTags{any: true}, true
	}
	parts := strings.Split(text, ",") // no tag of this service has a comma
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

// given returns the headers that the request has.
func (p Preconditions) given() (names []string) {
	if p.match != nil {
		names = append(names, "If-Match")
	}
	if p.noneMatch != nil {
		names = append(names, "If-None-Match")
	}
	return names
}

// judge holds the preconditions against the tag of the object that the request
// is about, which is empty if there is none.
func (p Preconditions) judge(tag string) error {
	failed := func(format string, args ...any) error {
		return refuse(http.StatusPreconditionFailed, promptrails.CodePreconditionFailed, format, args...)
	}
	switch {
	case p.match != nil && !p.match.has(tag) && tag == "":
		return failed("there is no object yet, so that If-Match cannot be met")
	case p.match != nil && !p.match.has(tag):
		return failed("the object is at version %s; read it again", tag)
	case p.noneMatch != nil && p.noneMatch.has(tag):
		return failed("the object exists, at version %s, so that If-None-Match is not met", tag)
	default:
		return nil
	}
}

// NotModified judges the preconditions of a GET, and reports whether the caller
// has the object already.
func (p Preconditions) NotModified(tag string) (bool, error) {
	if tag == "" {
		return false, p.doNotApply()
	}
	if p.noneMatch != nil && p.noneMatch.has(tag) {
		return true, nil
	}
	return false, Preconditions{match: p.match}.judge(tag)
}

// doNotApply is the answer to preconditions of a request that is about no
// object with a version.
func (p Preconditions) doNotApply() error {
	bad := faults{}
	for _, name := range p.given() {
		bad.add(name, "does not apply to this request, which is about no single version of an object")
	}
	return bad.err()
}

// match judges the preconditions against the version of the object that is
// about to change; 0 if there is none yet.
func (x *Session) match(version int64) error {
	x.matched = true
	if version == 0 {
		return x.preconditions.judge("")
	}
	return x.preconditions.judge(strconv.Quote(strconv.FormatInt(version, 10)))
}
