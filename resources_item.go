package promptrails

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Resource is an object of a workspace: the fields common to all kinds, and its
// other fields as JSON.
type Resource struct {
	ID          string
	WorkspaceID string
	Name        string
	Status      string
	CreatedBy   string // the user id of the creator
	Version     int64  // incremented by each change; see [WithIfMatch]; 0 if not an integer
	CreatedAt   time.Time
	UpdatedAt   time.Time
	// Fields is a JSON object of all other fields, with numbers and strings
	// encoded exactly as received. It includes common fields with an unexpected
	// type, such as the version "1.0.0".
	Fields json.RawMessage
	// Raw is the complete object as received if a common field has an
	// unexpected type, and nil otherwise.
	Raw json.RawMessage
}

// common returns a pointer to the common field of that name, or nil.
func (r *Resource) common(name string) any {
	switch name {
	case "id":
		return &r.ID
	case "workspace_id":
		return &r.WorkspaceID
	case "name":
		return &r.Name
	case "status":
		return &r.Status
	case "created_by":
		return &r.CreatedBy
	case "version":
		return &r.Version
	case "created_at":
		return &r.CreatedAt
	case "updated_at":
		return &r.UpdatedAt
	default:
		return nil
	}
}

// UnmarshalJSON implements [json.Unmarshaler].
func (r *Resource) UnmarshalJSON(data []byte) error { return wire.Decode(data, r) }

// UnmarshalJSONFrom implements the UnmarshalerFrom interface of
// encoding/json/v2.
func (r *Resource) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	object, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if object.Kind() != '{' {
		return fmt.Errorf("expected a JSON object, got %.40q", object)
	}
	*r = Resource{}
	text, misfits := string(object), false
	members, fields := wire.Scan(text), make([]byte, 0, len(text))
	for name, value, ok := members.Member(); ok; name, value, ok = members.Member() {
		if target := r.common(unquote(name)); target != nil {
			if setCommon(target, value) {
				continue
			}
			misfits = true
		}
		fields = append(fields, separator(fields)...)
		fields = append(append(append(fields, name...), ':'), value...)
	}
	if len(fields) > 0 {
		r.Fields = append(fields, '}')
	}
	if misfits {
		r.Raw = json.RawMessage(text)
	}
	return nil
}

// setCommon sets a common field, and reports whether value is of its type.
func setCommon(target any, value string) bool {
	switch target := target.(type) {
	case *string:
		if text, ok := plain(value); ok {
			*target = strings.Clone(text) // which does not retain a large object
			return true
		}
	case *time.Time:
		if at, ok := parseTime(value); ok {
			*target = at
			return true
		}
	}
	return wire.Decode([]byte(value), target) == nil
}

// separator returns the text that precedes the next member of an object.
func separator(object []byte) string {
	if len(object) == 0 {
		return "{"
	}
	return ","
}

// MarshalJSON implements [json.Marshaler]. The common fields come first.
func (r Resource) MarshalJSON() ([]byte, error) {
	var object []byte
	add := func(name, value []byte) {
		object = append(append(append(append(object, separator(object)...), name...), ':'), value...)
	}
	inFields := map[string]bool{}
	err := wire.EachMember(jsontext.Value(r.Fields), func(name string, _, _ jsontext.Value) error {
		inFields[name] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"id", "workspace_id", "name", "status", "created_by", "version", "created_at", "updated_at"} {
		if inFields[name] {
			continue
		}
		value, err := wire.Encode(r.common(name))
		if err != nil {
			return nil, err
		}
		add([]byte(`"`+name+`"`), value)
	}
	err = wire.EachMember(jsontext.Value(r.Fields), func(_ string, rawName, value jsontext.Value) error {
		add(rawName, value)
		return nil
	})
	return append(object, '}'), err
}

// Decode decodes Fields into the struct or map that v points to. Names match
// json tags exactly.
func (r *Resource) Decode(v any) error {
	if len(r.Fields) == 0 {
		return nil
	}
	return wire.Decode(r.Fields, v)
}
