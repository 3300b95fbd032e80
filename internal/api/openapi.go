package api

import (
	_ "embed"
	"net/http"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Description is the OpenAPI document of the API, as it is written.
//
//go:embed openapi.yaml
var Description []byte

// description is the document as it is served.
var description = sync.OnceValues(func() ([]byte, error) {
	var document any
	if err := yaml.Unmarshal(Description, &document); err != nil {
		return nil, err
	}
	return wire.Encode(document)
})

func describe(w http.ResponseWriter, _ *http.Request) {
	body, err := description()
	if err != nil {
		panic(err) // the document is a part of the program
	}
	wire.WriteJSON(w, http.StatusOK, body)
}
