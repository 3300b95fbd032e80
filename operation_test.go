package promptrails

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"
)

// Every operation of the client is one of the API's description, under the same
// name, with the same method, path and scope; and there is none that the client
// lacks.
func TestOperationsAreTheDescribedOnes(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	text, err := os.ReadFile("internal/api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string `yaml:"operationId"`
			Scope       string `yaml:"x-scope"`
		} `yaml:"paths"`
	}
	// A path's own parameters are a list: they are no operation, and are left.
	_ = yaml.Unmarshal(text, &document)
	for path, methods := range document.Paths {
		for method, op := range methods {
			if op.OperationID != "" {
				want[op.OperationID] = strings.ToUpper(method) + " " + path + " " + op.Scope
			}
		}
	}
	got := map[string]string{}
	for _, op := range declaredOperations(t) {
		got[op[0]] = op[1] + " " + op[2] + " " + op[3]
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 20 {
		t.Errorf("%d operations are described (-described +client):\n%s", len(want), diff)
	}
}

// declaredOperations reads the tables of operations: name, method, path, scope.
func declaredOperations(t *testing.T) (operations [][4]string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	scopes := map[string]string{}
	var literals []*ast.CompositeLit
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if name, ok := n.Type.(*ast.Ident); ok && name.Name == "Scope" && len(n.Values) == 1 {
					scopes[n.Names[0].Name] = literal(n.Values[0])
				}
			case *ast.CompositeLit:
				if name, ok := n.Type.(*ast.Ident); ok && name.Name == "operation" && literal(n.Elts[0]) != "Do" {
					literals = append(literals, n)
				}
			}
			return true
		})
	}
	for _, l := range literals {
		scope := literal(l.Elts[3])
		if name, ok := l.Elts[3].(*ast.Ident); ok {
			scope = scopes[name.Name]
		}
		operations = append(operations, [4]string{literal(l.Elts[0]), literal(l.Elts[1]), literal(l.Elts[2]), scope})
	}
	return operations
}

// literal returns the text of a string literal, or "" for anything else.
func literal(e ast.Expr) string {
	l, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	s, err := strconv.Unquote(l.Value)
	if err != nil {
		return ""
	}
	return s
}
