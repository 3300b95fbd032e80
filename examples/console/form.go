package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The hidden fields of each form.
const (
	formField    = "form"            // which form of the page was sent
	keyField     = "idempotency_key" // makes the change one time; see visit.once
	versionField = "version"         // of the object that the form shows
)

// form is a form on a page.
type form struct {
	ID      string
	Key     string   // of keyField
	Problem *problem // why it was refused; nil: not sent
	values  url.Values
}

// refused returns the form of a request that was refused. If it is not known whether the
// change was made, the form keeps its key, so that sending it again cannot make it twice.
func refused(r *http.Request, p *problem) *form {
	f := &form{ID: r.PostFormValue(formField), Key: newKey(), Problem: p, values: r.PostForm}
	if p.Unknown {
		f.Key = r.PostFormValue(keyField)
		p.Message, p.Help = p.Message+" The change may have been made or not.", "Look whether it was made, or send the same form again."
	}
	return f
}

func newKey() string { return "console-" + rand.Text() }

// Form returns the form of the page with an id: the one that was refused, or a new one.
func (v *visit) Form(id string) *form {
	if v.failed != nil && v.failed.ID == id {
		return v.failed
	}
	return &form{ID: id, Key: newKey()}
}

// Failed returns the problem that the page shows at the top, or nil.
func (v *visit) Failed() *form { return v.failed }

// Value returns the value that was entered, or the one from before.
func (f *form) Value(name string, before ...any) string {
	if f.Problem != nil {
		return f.values.Get(name)
	}
	if len(before) > 0 {
		return fmt.Sprint(before[0])
	}
	return ""
}

// Version returns the version of the object that the person has seen. If the form was refused,
// that is still the one that was sent, unless the reason was a newer one.
func (f *form) Version(current int64) string {
	if f.Problem != nil && !f.Problem.Changed {
		return f.values.Get(versionField)
	}
	return fmt.Sprint(current)
}

// Checked reports whether a box is checked. It was from before if before is set.
func (f *form) Checked(name, value string, before bool) bool {
	if f.Problem != nil {
		return slices.Contains(f.values[name], value)
	}
	return before
}

// field is an input with its label, hint and error.
type field struct {
	Form                           *form
	Name, Label, Hint, Type, Value string
	List                           string // the id of a datalist with suggestions
	Required, Secret, Code         bool
	Max                            int
	Error                          string
}

func (f *field) ID() string { return f.Form.ID + "-" + f.Name }

// DescribedBy returns the ids of the hint and the error.
func (f *field) DescribedBy() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.ID()+"-hint")
	}
	if f.Error != "" {
		ids = append(ids, f.ID()+"-error")
	}
	return strings.Join(ids, " ")
}

// parseForm reads the query and the form of a request.
func parseForm(r *http.Request) error {
	err := r.ParseForm()
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	if err != nil {
		return errMalformed
	}
	return nil
}

// newField returns an input of a form. It has type text. Options change it: required,
// secret (never filled in again), code (for keys and addresses), a type such as email,
// hint=text, list=id of suggestions, and value=text, which is the value from before.
func newField(f *form, name, label string, options ...string) (*field, error) {
	n := &field{Form: f, Name: name, Label: label, Type: "text", Max: 100, Value: f.Value(name)}
	if f.Problem != nil {
		n.Error = f.Problem.Fields[name]
	}
	for _, option := range options {
		key, value, _ := strings.Cut(option, "=")
		switch key {
		case "required":
			n.Required = true
		case "secret":
			n.Secret, n.Max = true, 65536
		case "code":
			n.Code = true
		case "email", "date", "url", "password", "search", "area":
			n.Type, n.Max = key, max(n.Max, 2048)
		case "hint":
			n.Hint = value
		case "list":
			n.List = value
		case "value":
			n.Value = f.Value(name, value)
		default:
			return nil, fmt.Errorf("field %s: unknown option %q", name, option)
		}
	}
	if n.Secret {
		n.Value = ""
	}
	return n, nil
}

// version returns the option that refuses a change if the object has changed since the form
// was shown, or nil if the server does not report versions.
func (v *visit) version() promptrails.RequestOption {
	var version int64
	if _, err := fmt.Sscan(v.PostFormValue(versionField), &version); err != nil || version == 0 {
		return nil
	}
	return promptrails.WithIfMatch(version)
}

// secret returns a value of the form that is never shown again.
func (v *visit) secret(name string) promptrails.Secret {
	return promptrails.NewSecret(v.PostFormValue(name))
}

// words returns the values of a field that are separated by spaces, commas or lines, or nil.
func words(text string) []string {
	if all := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,\t\r\n", r) }); len(all) > 0 {
		return all
	}
	return nil
}

const dateLayout = "2006-01-02"

// date reads a date of a field, in UTC. An empty field is the zero time.
func date(values url.Values, name string) (time.Time, error) {
	text := values.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(dateLayout, text)
	if err != nil {
		return time.Time{}, invalid(name, "must be a date such as 2026-01-31")
	}
	return t, nil
}

// invalid returns the error for a field that this program refuses, like one that the API
// refuses.
func invalid(name, reason string) error {
	return &promptrails.ValidationError{Fields: map[string]string{name: reason}}
}

// pager has the links to the other pages of a list.
type pager struct {
	First, Next string // empty: no link
	Shown       int
	Total       int // 0: not known
}

// pages returns the pager of a list on the page at path. The links keep its filters.
func pages[T any](v *visit, path string, page *promptrails.Page[T]) pager {
	link := func(name, value string) string {
		query := url.Values{}
		for key, values := range v.URL.Query() {
			if key != "after" && key != "page" {
				query[key] = values
			}
		}
		if name != "" {
			query.Set(name, value)
		}
		return strings.TrimSuffix(path+"?"+query.Encode(), "?")
	}
	p := pager{Shown: len(page.Items), Total: page.Meta.Total}
	if v.URL.Query().Has("after") || v.URL.Query().Has("page") {
		p.First = link("", "")
	}
	switch meta := page.Meta; {
	case meta.NextCursor != "":
		p.Next = link("after", meta.NextCursor)
	case hasMore(page): // a server without cursors
		p.Next = link("page", fmt.Sprint(meta.Page+1))
	}
	return p
}

// hasMore reports whether a list goes on after a page.
func hasMore[T any](page *promptrails.Page[T]) bool {
	return page.Meta.NextCursor != "" || page.Meta.Page < page.Meta.Pages
}

// listOptions returns the page that the links of a pager select.
func listOptions(v *visit) promptrails.ListOptions {
	o := promptrails.ListOptions{Limit: 20, After: v.URL.Query().Get("after")}
	if text := v.URL.Query().Get("page"); o.After == "" && text != "" {
		if _, err := fmt.Sscan(text, &o.Page); err != nil {
			o.Page = 1
		}
	}
	return o
}
