package api

import (
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"github.com/promptrails-community/promptrails-go/internal/service"
)

// The routes are those of the description, each with the scope and the role
// that it says.
func TestRoutesAreTheDescribedOnes(t *testing.T) {
	t.Parallel()
	document, err := openapi3.NewLoader().LoadFromData(Description)
	if err != nil {
		t.Fatal(err)
	}
	want, got := map[string]string{}, map[string]string{}
	for path, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			scope, _ := op.Extensions["x-scope"].(string)
			role, _ := op.Extensions["x-role"].(string)
			header := ""
			for _, p := range append(op.Parameters, item.Parameters...) {
				if p.Value.Name == "X-Workspace-ID" {
					header = "in the header's workspace"
				}
			}
			want[method+" "+path] = strings.Join([]string{scope, role, header}, " ")
		}
	}
	for _, r := range routes() {
		header := ""
		if r.need.Place == service.ByHeader {
			header = "in the header's workspace"
		}
		role := string(r.need.Role)
		if scope := string(r.need.Scope); scope == "members:write" && r.path == "/members/{id}" {
			role = "admin" // or the member themselves, which is seen inside
		}
		got[r.method+" "+r.path] = strings.Join([]string{string(r.need.Scope), role, header}, " ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-described +routed):\n%s", diff)
	}
}
