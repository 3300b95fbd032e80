package api

import (
	"reflect"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

func TestCanHoldSecret(t *testing.T) {
	t.Parallel()
	type node struct {
		Next *node
		Key  map[string][]*promptrails.Secret
	}
	for want, types := range map[bool][]reflect.Type{
		true:  {reflect.TypeFor[promptrails.Secret](), reflect.TypeFor[*promptrails.CreatedAPIKey](), reflect.TypeFor[*promptrails.Invitation](), reflect.TypeFor[node]()},
		false: {reflect.TypeFor[*promptrails.Credential](), reflect.TypeFor[*promptrails.Member](), reflect.TypeFor[string](), reflect.TypeFor[*promptrails.Workspace]()},
	} {
		for _, kind := range types {
			if got := mayHoldSecret(kind); got != want {
				t.Errorf("%s: got %t, want %t", kind, got, want)
			}
		}
	}
}
