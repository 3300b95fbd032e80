package service

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// maxReferences is how many a document may hold.
const maxReferences = 1000

// targets says what a field's name refers to: a kind, or the credentials.
var targets = map[string]string{
	"agent_id": "agents", "prompt_id": "prompts", "credential_id": "credentials", "data_source_id": "data-sources", "mcp_tool_id": "mcp-tools",
	"guardrail_id": "guardrails", "execution_id": "executions", "session_id": "chat/sessions", "memory_id": "memories",
	"trigger_id": "triggers", "approval_id": "approvals", "app_id": "apps",
}

// opaque are the members in which nothing is a reference.
var opaque = []string{"metadata", "schema", "input", "output"}

// reference is an identifier that a document names.
type reference struct{ field, kind, id string }

// references finds what a document names, at any depth.
func (d Document) references() (found []reference, err error) {
	for _, m := range d {
		if err := findReferences(m.Name, m.Name, m.Value, &found); err != nil {
			return nil, err
		}
	}
	if len(found) > maxReferences {
		return nil, BadRequest("the body names more than %d other objects", maxReferences)
	}
	return found, nil
}

// findReferences looks at a member: what it names itself, and what is in it.
func findReferences(path, name string, v jsontext.Value, found *[]reference) error {
	if slices.Contains(opaque, name) {
		return nil
	}
	kind := targets[strings.TrimSuffix(name, "s")] // agent_id, or agent_ids
	add := func(path string, v jsontext.Value) error {
		var id string
		err := json.Unmarshal(v, &id)
		if id != "" {
			*found = append(*found, reference{path, kind, id})
		}
		return err
	}
	if v.Kind() == '"' && kind != "" {
		return add(path, v)
	}
	if v.Kind() == '[' {
		return eachElement(v, func(element jsontext.Value) error {
			if element.Kind() == '"' && kind != "" {
				return add(path, element)
			}
			return findReferences(path, "", element, found)
		})
	}
	if v.Kind() == '{' {
		return eachMember(v, func(name string, member jsontext.Value) error {
			return findReferences(path+"."+name, name, member, found)
		})
	}
	return nil
}

// resolve refuses what names something that is not in the workspace.
func (x *Session) resolve(references []reference) error {
	for _, r := range references {
		exists, err := x.exists(r.kind, r.id)
		if err != nil {
			return err
		}
		if !exists {
			return problem(http.StatusNotFound, promptrails.CodeNotFound, "%.100s names nothing that is here", r.field).with(map[string]any{"field": r.field})
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
