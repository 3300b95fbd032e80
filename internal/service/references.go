package service

import (
	"bytes"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// maxReferences is the maximum number of references in a document.
const maxReferences = 1000

// targets maps the name of a field to the kind of object that it refers to.
var targets = map[string]string{
	"agent_id": "agents", "prompt_id": "prompts", "credential_id": "credentials", "data_source_id": "data-sources", "mcp_tool_id": "mcp-tools",
	"guardrail_id": "guardrails", "execution_id": "executions", "session_id": "chat/sessions", "memory_id": "memories",
	"trigger_id": "triggers", "approval_id": "approvals", "app_id": "apps",
}

// opaque are the members that are not searched for references.
var opaque = []string{"metadata", "schema", "input", "output"}

// reference is a reference from a document to another object.
type reference struct{ field, kind, id string }

// references returns the references in a document, at any depth.
func (d Document) references() ([]reference, error) {
	var r referenceReader
	for _, m := range d {
		r.dec, r.path = jsontext.NewDecoder(bytes.NewBuffer(m.Value)), []string{m.Name}
		if err := r.value(m.Name); err != nil {
			return nil, err
		}
	}
	return r.found, nil
}

// referenceReader finds the references in a value.
type referenceReader struct {
	dec   *jsontext.Decoder
	path  []string // the names of the members that contain the value
	found []reference
}

// value reads the value of the member with that name, or an element of it.
func (r *referenceReader) value(name string) error {
	if slices.Contains(opaque, name) {
		return r.dec.SkipValue()
	}
	switch kind := r.dec.PeekKind(); {
	case kind == '{':
		return r.object()
	case kind == '[':
		return r.array(name)
	case kind == '"' && target(name) != "":
		return r.add(target(name))
	default:
		return r.dec.SkipValue()
	}
}

func (r *referenceReader) object() error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() == '"' {
		token, err := r.dec.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		r.path = append(r.path, name)
		if err := r.value(name); err != nil {
			return err
		}
		r.path = r.path[:len(r.path)-1]
	}
	_, err := r.dec.ReadToken()
	return err
}

func (r *referenceReader) array(name string) error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	for r.dec.PeekKind() != ']' {
		element := "" // only strings directly in the list are references
		if r.dec.PeekKind() == '"' {
			element = name
		}
		if err := r.value(element); err != nil {
			return err
		}
	}
	_, err := r.dec.ReadToken()
	return err
}

func (r *referenceReader) add(kind string) error {
	token, err := r.dec.ReadToken()
	if err != nil || token.String() == "" {
		return err
	}
	if len(r.found) == maxReferences {
		return BadRequest("the body refers to more than %d other objects", maxReferences)
	}
	r.found = append(r.found, reference{strings.Join(r.path, "."), kind, token.String()})
	return nil
}

// target returns the kind that a member such as agent_id or agent_ids refers to.
func target(name string) string { return targets[strings.TrimSuffix(name, "s")] }

// resolve returns an error if a reference does not exist in the workspace.
func (x *Session) resolve(references []reference) error {
	for _, r := range references {
		exists, err := x.exists(r.kind, r.id)
		if err != nil {
			return err
		}
		if !exists {
			return refuse(http.StatusNotFound, promptrails.CodeNotFound, "%.100s names nothing that is here", r.field).With(map[string]any{"field": r.field})
		}
	}
	return nil
}

func (x *Session) exists(kind, id string) (bool, error) {
	if kind == "credentials" {
		return x.tx.HasCredential(id)
	}
	return x.tx.HasResource(kind, id)
}
