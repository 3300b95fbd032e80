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

// The client has exactly the operations of openapi.yaml, with the same name,
// method, path and scope.
func TestOperationsMatchOpenAPI(t *testing.T) {
	t.Parallel()
	want := map[string]string{}
	for path, methods := range describedPaths(t) {
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
		t.Errorf("operations: got the %d of the op… variables, want the %d of openapi.yaml and at least 20 (-openapi.yaml +op…):\n%s", len(got), len(want), diff)
	}
}

// described is an operation of openapi.yaml.
type described struct {
	OperationID string `yaml:"operationId"`
	Scope       string `yaml:"x-scope"`
	Role        string `yaml:"x-role"`
}

// describedPaths returns the operations of openapi.yaml by path and method.
func describedPaths(t *testing.T) map[string]map[string]described {
	t.Helper()
	text, err := os.ReadFile("internal/api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Paths map[string]map[string]described `yaml:"paths"`
	}
	// The error is ignored: the parameters of a path are a list and do not decode
	// as an operation.
	_ = yaml.Unmarshal(text, &document)
	return document.Paths
}

// Each kind of resource has the operations of its paths in openapi.yaml, with the
// same scopes.
func TestResourceKindsMatchOpenAPI(t *testing.T) {
	t.Parallel()
	paths := describedPaths(t)
	for _, kind := range ResourceKinds() {
		read, write := "", ""
		for _, c := range []struct{ method, rest string }{{"GET", ""}, {"GET", "/{id}"}, {"POST", ""}, {"PATCH", "/{id}"}, {"DELETE", "/{id}"}} {
			call, err := kind.Of("a").collection("Resources", c.method, nil)
			if c.rest != "" {
				call, err = kind.Of("a").item("Resources", c.method, "i", nil)
			}
			op := call.op
			want, ok := paths[op.path][strings.ToLower(c.method)]
			if readOnly := kind == KindExecutions || kind == KindTraces; err != nil || ok == (readOnly && c.method != "GET") || ok && want.Scope != string(op.scope) {
				t.Errorf("%s %s: got scope %q and error %v, want scope %q (in openapi.yaml: %t)", c.method, op.path, op.scope, err, want.Scope, ok)
			}
			if c.method == "GET" {
				read = string(op.scope)
			} else {
				write = string(op.scope)
			}
		}
		if !Scope(read).IsKnown() || write != "" && !Scope(write).IsKnown() {
			t.Errorf("scopes of %s: got %q to read and %q to write, want known scopes", kind, read, write)
		}
	}
}

// declaredOperations returns the name, method, path and scope of each operation
// that the package declares.
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
				if name, ok := n.Type.(*ast.Ident); ok && name.Name == "operation" && literal(n.Elts[0]) != "Do" && literal(n.Elts[0]) != "" {
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

// literal returns the value of a string literal, or "" for any other expression.
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
