package promptrails

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// receiver is an envelope that a response is decoded into.
type receiver interface {
	// check returns an error if the decoded response is incomplete.
	check() error
}

// fault is the member error of an envelope. It must be absent from a 2xx
// response.
type fault struct {
	Error jsontext.Value `json:"error"`
}

func (f *fault) none() error {
	if len(f.Error) > 0 && f.Error.Kind() != 'n' {
		return errors.New("expected data, got an error")
	}
	return nil
}

// object is the envelope of one object.
type object[T any] struct {
	fault
	Data element[T] `json:"data"`
}

func (o *object[T]) check() error {
	if err := o.none(); err != nil {
		return err
	}
	if o.Data.value == nil || reflect.ValueOf(o.Data.value).Elem().IsZero() {
		return fmt.Errorf("expected %s in data", reflect.TypeFor[T]().Name())
	}
	return nil
}

// paged is the envelope of a page of a list. Its check method fills in page.
type paged[T any] struct {
	fault
	Data items[T]  `json:"data"`
	Meta pagedMeta `json:"meta"`
	page *Page[T]
}

// pagedMeta is a Meta that also accepts total_pages, the older name of pages,
// and records whether the response had a meta.
type pagedMeta struct {
	Meta
	TotalPages int `json:"total_pages"`
	present    bool
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (m *pagedMeta) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	type fields pagedMeta
	m.present = dec.PeekKind() == '{'
	return json.UnmarshalDecode(dec, (*fields)(m))
}

func (p *Page[T]) receiver() receiver { return &paged[T]{page: p} }

func (p *paged[T]) isPage() {}

func (p *paged[T]) check() error {
	if err := p.none(); err != nil {
		return err
	}
	if !p.Data.present {
		return fmt.Errorf("expected a list of %s in data", reflect.TypeFor[T]().Name())
	}
	p.page.Meta = p.Meta.Meta
	if p.page.Meta.Pages == 0 {
		p.page.Meta.Pages = p.Meta.TotalPages
	}
	p.page.Items = make([]*T, len(p.Data.array))
	for i := range p.Data.array {
		p.page.Items[i] = &p.Data.array[i]
		if reflect.ValueOf(p.page.Items[i]).Elem().IsZero() {
			return fmt.Errorf("expected %s at data[%d]", reflect.TypeFor[T]().Name(), i)
		}
	}
	return nil
}

// anything is the envelope of [Client.Do], which decodes data into the caller's
// value.
type anything struct {
	fault
	Data target `json:"data"`
}

type target struct {
	out     any
	present bool
}

func receiverFor(out any) receiver {
	if out == nil {
		return nil
	}
	if page, ok := out.(interface{ receiver() receiver }); ok {
		return page.receiver()
	}
	return &anything{Data: target{out: out}}
}

// UnmarshalJSONFrom implements [json.UnmarshalerFrom]. It decodes null as an
// empty slice.
func (t *target) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == 'n' {
		if v := reflect.ValueOf(t.out); v.Kind() == reflect.Pointer && !v.IsNil() && v.Elem().Kind() == reflect.Slice {
			t.present = true
			v.Elem().SetZero()
		}
		return dec.SkipValue()
	}
	t.present = true
	return json.UnmarshalDecode(dec, t.out)
}

func (a *anything) check() error {
	if err := a.none(); err != nil {
		return err
	}
	if !a.Data.present {
		return errors.New("expected data")
	}
	return nil
}

// decode decodes the body of a 2xx response. For a call without data, it checks
// that the response confirms the call.
func (ex *exchange) decode(r *http.Response, body []byte) error {
	media, empty := r.Header.Get("Content-Type"), len(bytes.TrimSpace(body)) == 0
	switch {
	case !empty && media != "" && !isJSON(media):
		return fmt.Errorf("expected JSON, got %s: %s", ex.show([]byte(media)), ex.showBody(body))
	case ex.out == nil:
		return ex.confirm(r, body, empty)
	case empty:
		return errors.New("expected data, got an empty response")
	}
	if err := wire.Decode(body, ex.out); err != nil {
		return fmt.Errorf("malformed response: %s: %s", ex.show([]byte(err.Error())), ex.showBody(body))
	}
	if err := ex.out.check(); err != nil {
		return fmt.Errorf("%w, got %s", err, ex.showBody(body))
	}
	return nil
}

// confirm checks a 2xx response to a call without data. It rejects responses
// that do not come from the API, such as the HTML page or the empty 200 of a
// proxy.
func (ex *exchange) confirm(r *http.Response, body []byte, empty bool) error {
	if empty {
		if ex.op.name == "Do" || r.StatusCode == http.StatusNoContent || r.StatusCode == http.StatusResetContent || r.StatusCode == http.StatusAccepted {
			return nil
		}
		return fmt.Errorf("expected 204 or JSON, got an empty response with status %d", r.StatusCode)
	}
	var status struct {
		Error   jsontext.Value `json:"error"`
		Errors  jsontext.Value `json:"errors"`
		Success jsontext.Value `json:"success"`
		OK      jsontext.Value `json:"ok"`
	}
	if err := wire.Decode(body, &status); err != nil {
		return fmt.Errorf("malformed response: %s: %s", ex.show([]byte(err.Error())), ex.showBody(body))
	}
	denied := status.Success.Kind() == 'f' || status.OK.Kind() == 'f' ||
		len(status.Error) > 0 && status.Error.Kind() != 'n' ||
		len(status.Errors) > 0 && status.Errors.Kind() != 'n' && string(status.Errors) != "[]"
	if denied || bytes.Equal(bytes.TrimSpace(body), []byte("null")) {
		return fmt.Errorf("expected a confirmation, got %s", ex.showBody(body))
	}
	return nil
}

func (ex *exchange) show(text []byte) string { return quote([]byte(ex.clean(string(text)))) }

// showBody quotes a response body. It returns only the size of a JSON response
// to a mutation, which may contain a new secret.
func (ex *exchange) showBody(body []byte) string {
	if trimmed := bytes.TrimSpace(body); ex.op.mutates() && len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') {
		return fmt.Sprintf("%d bytes of JSON", len(body))
	}
	return ex.show(body[:min(len(body), maxErrorBody)])
}

// isJSON reports whether contentType is a JSON media type. It ignores
// parameters, which may be malformed.
func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.Contains(strings.ToLower(media), "json")
}
