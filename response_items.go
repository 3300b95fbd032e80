package promptrails

import (
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// element is an object in an envelope.
type element[T any] struct{ value *T }

// UnmarshalJSONFrom implements the UnmarshalerFrom interface of
// encoding/json/v2.
func (e *element[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue()
	if err != nil || value.Kind() == 'n' {
		return err
	}
	e.value = new(T)
	return decodeItem(fieldsOf(reflect.TypeFor[T]()), e.value, value)
}

// maxPageItems bounds the memory of a page: an item in Go can be a hundred times larger
// than {} in JSON.
const maxPageItems = 100_000

// items is a list in an envelope. A list that is null is present and empty.
type items[T any] struct {
	array   []T
	present bool
}

// UnmarshalJSONFrom implements the UnmarshalerFrom interface of
// encoding/json/v2.
func (i *items[T]) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	i.present = true
	if kind := dec.PeekKind(); kind != '[' {
		return json.UnmarshalDecode(dec, &i.array) // null, or an error
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	known := fieldsOf(reflect.TypeFor[T]())
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		switch len(i.array) {
		case maxPageItems:
			return fmt.Errorf("the list has more than %d items", maxPageItems)
		case 0:
			i.array = make([]T, 0, min(pageSize, 1+len(dec.UnreadBuffer())/len(value)))
		}
		i.array = append(i.array, *new(T))
		if err := decodeItem(known, &i.array[len(i.array)-1], value); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// maxShared bounds the memory that a program keeps by keeping one string of an item,
// such as its id.
const maxShared = 4 << 10

// decodeItem decodes value, which is valid JSON, into item, which is zero. The
// strings of the item are parts of one copy of value, unless it is large.
func decodeItem[T any](known *fields, item *T, value jsontext.Value) error {
	if known != nil && len(value) <= maxShared && known.decode(reflect.ValueOf(item).Elem(), string(value)) {
		return nil
	}
	return wire.Decode(value, item)
}
