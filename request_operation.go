package promptrails

import (
	"context"
	"net/url"
	"reflect"
	"slices"
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

// checkIDs returns an error if one of the ids is not a path element.
func (op operation) checkIDs(ids []string) error {
	for i, id := range ids {
		switch {
		case id == "":
			return invalid(op.parameter(i), "must not be empty")
		case !validElement(id):
			return invalid(op.parameter(i), "must not consist only of dots, or contain control characters")
		}
	}
	return nil
}

// parameter returns the name of an id in the path template.
func (op operation) parameter(i int) string {
	name, _, _ := strings.Cut(strings.Split(op.path, "{")[i+1], "}")
	return name
}

// validElement reports whether s is a valid path element: not empty, not only
// dots, and without control characters.
func validElement(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return strings.Trim(s, ".") != ""
}

// url returns the URL of the operation relative to base. Each id becomes
// exactly one escaped path element.
func (op operation) url(base *url.URL, ids []string) *url.URL {
	u := *base
	u.Path = op.expand(base.Path, ids, func(id string) string { return id })
	if base.RawPath != "" || slices.ContainsFunc(ids, func(id string) bool { return url.PathEscape(id) != id }) {
		u.RawPath = op.expand(base.EscapedPath(), ids, url.PathEscape)
	}
	return &u
}

// expand appends the path template with its ids to base.
func (op operation) expand(base string, ids []string, escape func(string) string) string {
	var b strings.Builder
	b.Grow(len(base) + len(op.path) + 32)
	b.WriteString(base)
	rest := op.path
	for _, id := range ids {
		before, after, _ := strings.Cut(rest, "{")
		b.WriteString(before)
		b.WriteString(escape(id))
		_, rest, _ = strings.Cut(after, "}")
	}
	b.WriteString(rest)
	return b.String()
}

// encodeQuery encodes params, a pointer to a struct or nil, as a query. The
// result is nil if params is.
func encodeQuery(params any) (values url.Values, err error) {
	switch p := params.(type) {
	case nil:
		return values, nil
	case url.Values:
		return p, nil
	}
	if v := reflect.ValueOf(params); v.Kind() == reflect.Pointer && v.IsNil() {
		return values, nil
	}
	if values, err = query.Values(params); err != nil {
		return nil, invalid("params", "cannot be encoded as a query: "+err.Error())
	}
	for _, count := range []string{"page", "limit", "sequence_from", "sequence_to"} {
		if strings.HasPrefix(values.Get(count), "-") {
			return nil, invalid(count, "must not be negative")
		}
	}
	return values, nil
}
