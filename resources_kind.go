package promptrails

import (
	"net/url"
	"strings"
)

// itemKinds are the collections whose items are at another path, without the
// agent.
var itemKinds = map[ResourceKind]string{KindMemories: "memories", KindGuardrails: "guardrails"}

// collection returns a call to the collection.
func (k ResourceKind) collection(name, method string, opts []RequestOption) (call, error) {
	op, ids, err := k.op(name, method, string(k))
	if err == nil && strings.Contains(string(k), agentPlaceholder) {
		err = invalid("kind", "must include an agent; use Of")
	}
	return call{op: op, ids: ids, opts: opts}, err
}

// item returns a call to one item of a collection.
func (k ResourceKind) item(name, method, id string, opts []RequestOption) (call, error) {
	op, ids, err := k.op(name, method, string(k))
	if own, ok := itemKinds[k.template()]; ok && err == nil {
		op, ids, err = k.op(name, method, own)
	}
	op.path += "/{id}"
	return call{op: op, ids: append(ids, id), opts: opts}, err
}

// op returns an operation on the collection at path, and the values of its path
// parameters. In a path such as agents/{id}/versions, every second element is a
// parameter.
func (k ResourceKind) op(name, method, path string) (operation, []string, error) {
	op := operation{name, method, "", kindScopes[k.template()][0], callerBody}
	if method != "GET" {
		op.scope = kindScopes[k.template()][1]
	}
	var ids []string
	isID := false
	for i, element := range strings.Split(path, "/") {
		value, err := url.PathUnescape(element)
		if err != nil || !validElement(value) {
			return op, nil, invalid("kind", "must be the path of a collection, such as agents or agents/ID/versions; escape ids with url.PathEscape")
		}
		switch {
		case isID && element == agentPlaceholder, !isID && value == element && isWord(element):
			op.path += "/" + element
		case isID:
			op.path += "/" + pathParameter(path, i)
			ids = append(ids, value)
		default:
			op.path += "/{collection}"
			ids = append(ids, value)
		}
		isID = !isID && (i > 0 || element != "chat") // chat/sessions is a single name
	}
	return op, ids, nil
}

// pathParameter returns the parameter for element i of a path, as in
// agents/{agent_id}/memories.
func pathParameter(path string, i int) string {
	if i == 1 && strings.HasPrefix(path, "agents/") {
		return agentPlaceholder
	}
	return "{parent_id}"
}

// isWord reports whether s contains only lowercase letters, digits, hyphens and
// underscores.
func isWord(s string) bool {
	return strings.Trim(s, "-_0123456789abcdefghijklmnopqrstuvwxyz") == ""
}
