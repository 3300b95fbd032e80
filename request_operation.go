package promptrails

import (
	"context"
	"net/url"
	"strings"

	"github.com/google/go-querystring/query"
)

// Operation identifies an operation of the API. Its fields have few values, so
// that they can label metrics, except for [Client.Do].
type Operation struct {
	Name   string // in Go, for example Members.Get; Do for [Client.Do]
	Method string // of HTTP
	Path   string // template, relative to the API: /members/{id}; for [Client.Do], the path of the call
	Scope  Scope  // required of an API key; empty if no scope is required
}

type operationKey struct{}

// OperationFromContext returns the operation of the call that a request belongs
// to. It is for the [http.RoundTripper] of a [WithHTTPClient] client, for
// [WithAPIKeySource] and [WithAccessTokenSource], and for the handlers of
// [WithLogger]: the context that they receive has the operation. It reports false
// for other contexts.
func OperationFromContext(ctx context.Context) (Operation, bool) {
	op, ok := ctx.Value(operationKey{}).(*operation)
	if !ok {
		return Operation{}, false
	}
	return op.exported(), true
}

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

// exported returns the part of op that callers see.
func (op operation) exported() Operation {
	return Operation{Name: op.name, Method: op.method, Path: op.path, Scope: op.scope}
}

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
