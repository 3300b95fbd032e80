package promptrails

import (
	"net/url"
	"strings"

	"github.com/google/go-querystring/query"
)

// operation is one call of the API. Errors and logs contain its method and path, and
// a test compares it with openapi.yaml.
type operation struct {
	name   string // as in Go: Members.Get
	method string
	path   string // the template, below /api/v1: /members/{id}
	scope  Scope  // that an API key requires; empty: no key is accepted, or any
	traits trait
}

type trait uint

const (
	acrossWorkspaces trait = 1 << iota // sends no X-Workspace-ID
	personOnly                         // refuses API keys
	revokes                            // sets the status revoked
	anyWorkspace                       // X-Workspace-ID is optional
	changesKeys                        // may revoke or restrict API keys
	callerBody                         // the body has a caller's own type
	bySequence                         // the list has cursors and no page numbers
)

func (op operation) String() string        { return op.method + " " + op.path }
func (op operation) has(t trait) bool      { return op.traits&t != 0 }
func (op operation) mutates() bool         { return op.method != "GET" && op.method != "HEAD" }
func (op operation) repeatsByItself() bool { return op.method != "POST" && op.method != "PATCH" }

// url returns base with the filled path template. Each value becomes one escaped
// path element.
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
			return nil, invalid(name, "must not consist of dots only, or contain control characters")
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

// validElement reports whether s can be a path element: not empty, "." or "..", and
// without control characters.
func validElement(s string) bool {
	return strings.Trim(s, ".") != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// encodeQuery returns params, a pointer to a struct that may be nil, as a query.
func encodeQuery(params any) (url.Values, error) {
	switch p := params.(type) {
	case nil:
		return url.Values{}, nil
	case url.Values:
		return p, nil
	}
	values, err := query.Values(params)
	if err != nil {
		return nil, invalid("params", "cannot be sent as a query: "+err.Error())
	}
	for _, count := range []string{"page", "limit", "sequence_from", "sequence_to"} {
		if strings.HasPrefix(values.Get(count), "-") {
			return nil, invalid(count, "must not be negative")
		}
	}
	return values, nil
}
