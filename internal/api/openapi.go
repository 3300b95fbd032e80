package api

import (
	_ "embed"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/service"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Description is the OpenAPI document of the API in YAML. It declares the path,
// method, scope, role and status of each route.
//
//go:embed openapi.yaml
var Description []byte

// description is the document as GET /openapi.json returns it.
var description = sync.OnceValue(func() []byte {
	var document any
	must(yaml.Unmarshal(Description, &document))
	body, err := wire.Encode(document)
	must(err)
	return body
})

func describe(w http.ResponseWriter, _ *http.Request) {
	wire.WriteJSON(w, http.StatusOK, description())
}

// must panics on an error in the embedded document.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("openapi.yaml: %v", err))
	}
}

// operation is an operation of the OpenAPI document.
type operation struct {
	method string
	path   string // below Prefix

	ID         string            `yaml:"operationId"`
	Scope      promptrails.Scope `yaml:"x-scope"`   // empty: API keys are refused
	AnyKey     bool              `yaml:"x-any-key"` // every API key is accepted
	Role       promptrails.Role  `yaml:"x-role"`
	Self       bool              `yaml:"x-self"` // no role is required for the caller's own membership
	Parameters []reference       `yaml:"parameters"`
	Responses  map[string]any    `yaml:"responses"`
}

type reference struct {
	Ref string `yaml:"$ref"`
}

// operations returns the operations of the OpenAPI document.
var operations = sync.OnceValue(func() (all []operation) {
	type pathItem struct {
		Parameters []reference `yaml:"parameters"`
		Get        *operation  `yaml:"get"`
		Post       *operation  `yaml:"post"`
		Put        *operation  `yaml:"put"`
		Patch      *operation  `yaml:"patch"`
		Delete     *operation  `yaml:"delete"`
	}
	var document struct {
		Paths map[string]pathItem `yaml:"paths"`
	}
	must(yaml.Unmarshal(Description, &document))
	for path, item := range document.Paths {
		for method, op := range map[string]*operation{
			http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodPatch: item.Patch, http.MethodDelete: item.Delete,
		} {
			if op != nil {
				op.method, op.path, op.Parameters = method, path, append(op.Parameters, item.Parameters...)
				all = append(all, *op)
			}
		}
	}
	return all
})

// name returns the operation's key in the table of handlers: its id, or its
// method and path without an id.
func (op operation) name() string {
	if op.ID != "" {
		return op.ID
	}
	return op.method + " " + op.path
}

// need returns the permission that the operation requires.
func (op operation) need() service.Need {
	n := service.Need{Scope: op.Scope, AnyKey: op.AnyKey, Role: op.Role, Workspace: service.NoWorkspace}
	if op.Self { // the session checks the role for other members
		n.Role = promptrails.RoleUser
	}
	if strings.HasPrefix(op.path, "/workspaces/{id}") {
		n.Workspace = service.FromPath
	}
	for _, p := range op.Parameters {
		if p.Ref == "#/components/parameters/workspace" {
			n.Workspace = service.FromHeader
		}
	}
	return n
}

// status returns the HTTP status of a successful response.
func (op operation) status() int {
	for text := range op.Responses {
		if status, err := strconv.Atoi(text); err == nil && status < 300 {
			return status
		}
	}
	panic("openapi.yaml: no successful response of " + op.name())
}

// patterns matches requests with the operations.
var patterns = sync.OnceValue(func() *http.ServeMux {
	mux := http.NewServeMux()
	for _, op := range operations() {
		mux.HandleFunc(op.method+" "+Prefix+op.path, http.NotFound)
	}
	return mux
})

// PatternOf returns the method and the path template of a request's operation, such as
// GET /api/v1/members/{id}, or "" if the request matches none.
func PatternOf(r *http.Request) string {
	if !isClean(r.URL.Path) { // the mux would redirect it
		return ""
	}
	_, pattern := patterns().Handler(r)
	return pattern
}
