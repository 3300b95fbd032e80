package promptrails

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// receiver is an envelope that an answer is decoded into, once.
type receiver interface {
	// check reports what the decoded answer lacks.
	check() error
}

// object is the envelope of one object.
type object[T any] struct {
	Data *T `json:"data"`
}

func (o *object[T]) check() error {
	if o.Data == nil || reflect.ValueOf(o.Data).Elem().IsZero() {
		return fmt.Errorf("expected %s in data", reflect.TypeFor[T]().Name())
	}
	return nil
}

// paged is the envelope of a page of a list, which check puts into page.
type paged[T any] struct {
	Data items[T]  `json:"data"`
	Meta pagedMeta `json:"meta"`
	page *Page[T]
}

// items tells a list that is null, which is empty, from one that is not there.
type items[T any] struct {
	array   []T
	present bool
}

// pagedMeta knows the older name of Pages as well.
type pagedMeta struct {
	Meta
	TotalPages int `json:"total_pages"`
}

func (p *Page[T]) receiver() receiver { return &paged[T]{page: p} }

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (i *items[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	i.present = true
	return json.UnmarshalDecode(dec, &i.array)
}

func (p *paged[T]) check() error {
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

// anything is the envelope of [Client.Do], whose caller brings the target.
type anything struct {
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

// UnmarshalJSONFrom implements [json.UnmarshalerFrom].
func (t *target) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == 'n' {
		return dec.SkipValue()
	}
	t.present = true
	return json.UnmarshalDecode(dec, t.out)
}

func (a *anything) check() error {
	if !a.Data.present {
		return errors.New("expected data")
	}
	return nil
}

// decodeAnswer decodes the body of a 2xx into out.
func decodeAnswer(r *http.Response, body []byte, out receiver) error {
	if media := r.Header.Get("Content-Type"); media != "" && len(body) > 0 && !isJSON(media) {
		return fmt.Errorf("expected JSON, got %s: %s", quote([]byte(media)), quote(body))
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return errors.New("expected data, got an empty answer")
	}
	if err := wire.Decode(body, out); err != nil {
		return fmt.Errorf("%s, in the answer %s", quote([]byte(err.Error())), quote(body))
	}
	if err := out.check(); err != nil {
		return fmt.Errorf("%w, got %s", err, quote(body))
	}
	return nil
}

func isJSON(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}
