package promptrails_test

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"slices"
	"strconv"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// KnownScopes returns exactly the declared constants of type Scope. Servers
// reject any other scope.
func TestKnownScopes(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(gotoken.NewFileSet(), "scopes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var declared promptrails.Scopes
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if typ, ok := spec.Type.(*ast.Ident); ok && typ.Name == "Scope" {
			for _, value := range spec.Values {
				text, err := strconv.Unquote(value.(*ast.BasicLit).Value)
				if err != nil {
					t.Fatal(err)
				}
				declared = append(declared, promptrails.Scope(text))
			}
		}
		return true
	})
	known := promptrails.KnownScopes()
	for _, s := range declared {
		if !slices.Contains(known, s) {
			t.Errorf("KnownScopes: got no %s, want every constant in knownScopes (scopes.go)", s)
		}
	}
	if len(known) != len(declared) {
		t.Errorf("KnownScopes: got %d scopes, want the %d that are declared", len(known), len(declared))
	}
}
