package promptrails

import (
	"net/url"
	"strings"

	"github.com/google/go-querystring/query"
)

// operation describes an API operation, for requests, errors, logs and the test
// against the OpenAPI document.
type operation struct {
	name   string // in Go: Members.Get
	method string
	path   string // template, relative to /api/v1: /members/{id}
	scope  Scope  // required of an API key; empty if any key or no key is accepted
	traits trait
}

type trait uint

const (
	acrossWorkspaces trait = 1 << iota // does not send X-Workspace-ID
	personOnly                         // does not accept API keys
	revokes                            // revokes an object, whose status then changes
	anyWorkspace                       // sends X-Workspace-ID if the client has a workspace
	changesKeys                        // may revoke or restrict an API key
	callerBody                         // has a body of the caller's type
	bySequence                         // is a list with cursors only, without page numbers
)

func (op operation) String() string        { return op.method + " " + op.path }
func (op operation) has(t trait) bool      { return op.traits&t != 0 }
func (op operation) mutates() bool         { return op.method != "GET" && op.method != "HEAD" }
func (op operation) repeatsByItself() bool { return op.method != "POST" && op.method != "PATCH" }

// url returns the URL of the operation relative to base. Each id becomes
// exactly one escaped path element.
func (op operation) url(base *url.URL, ids []string, values url.Values) (*url.URL, error) {
	var b strings.Builder
	for i, element := range strings.Split(op.path, "/") {
		if i > 0 {
			b.WriteByte('/')
		}
		if !strings.HasPrefix(element, "{") {
			b.WriteString(element)
			continue
		}
		id := ids[0]
		ids = ids[1:]
		name := strings.Trim(element, "{}")
		switch {
		case id == "":
			return nil, invalid(name, "must not be empty")
		case !validElement(id):
			return nil, invalid(name, "must not consist only of dots, or contain control characters")
		}
		b.WriteString(url.PathEscape(id))
	}
	u := *base
	u.RawPath = base.EscapedPath() + b.String()
	path, err := url.PathUnescape(u.RawPath)
	if err != nil {
		return nil, invalid("path", "cannot be escaped")
	}
	u.Path, u.RawQuery = path, values.Encode()
	return &u, nil
}

// validElement reports whether s is a valid path element: not empty, not only
// dots, and without control characters.
func validElement(s string) bool {
	return strings.Trim(s, ".") != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// encodeQuery encodes params, a pointer to a struct or nil, as a query.
func encodeQuery(params any) (url.Values, error) {
	switch p := params.(type) {
	case nil:
		return url.Values{}, nil
	case url.Values:
		return p, nil
	}
	values, err := query.Values(params)
	if err != nil {
		return nil, invalid("params", "cannot be encoded as a query: "+err.Error())
	}
	for _, count := range []string{"page", "limit", "sequence_from", "sequence_to"} {
		if strings.HasPrefix(values.Get(count), "-") {
			return nil, invalid(count, "must not be negative")
		}
	}
	return values, nil
}
