package promptrails

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The doc comment of each method of a service names the scope and the role that
// openapi.yaml declares for its operation.
func TestDocCommentsNameScopeAndRole(t *testing.T) {
	t.Parallel()
	operations := map[string]described{} // by name
	for _, methods := range describedPaths(t) {
		for _, op := range methods {
			operations[op.OperationID] = op
		}
	}
	documented := 0
	for receiver, methods := range serviceMethods(t) {
		for name, doc := range methods {
			op, ok := operations[receiver+"."+name]
			if !ok {
				continue // built on other methods
			}
			documented++
			if op.Scope != "" && !strings.Contains(doc, op.Scope) {
				t.Errorf("the doc comment of %s.%s: got no scope %s in:\n%s", receiver, name, op.Scope, doc)
			}
			if op.Role == "admin" || op.Role == "owner" {
				if !regexp.MustCompile(`\b` + op.Role + `s?\b`).MatchString(doc) {
					t.Errorf("the doc comment of %s.%s: got no role %s in:\n%s", receiver, name, op.Role, doc)
				}
			}
		}
	}
	if documented < 50 {
		t.Errorf("got %d documented operations, want 50 or more", documented)
	}
}

// serviceMethods returns the doc comments of the exported methods of the services:
// by the service's name without "Service", and by the method's name.
func serviceMethods(t *testing.T) map[string]map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	services := map[string]map[string]string{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || !fn.Name.IsExported() {
				continue
			}
			pointer, ok := fn.Recv.List[0].Type.(*ast.StarExpr)
			if !ok {
				continue
			}
			receiver, ok := pointer.X.(*ast.Ident)
			if !ok {
				continue
			}
			service, ok := strings.CutSuffix(receiver.Name, "Service")
			if !ok {
				continue
			}
			if services[service] == nil {
				services[service] = map[string]string{}
			}
			services[service][fn.Name.Name] = strings.Join(strings.Fields(fn.Doc.Text()), " ")
		}
	}
	return services
}
