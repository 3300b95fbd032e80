package embedded_test

import (
	"errors"
	"fmt"
	"testing"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// A long list is searched in parts, and not counted if it is filtered.
func TestListsOfManyItems(t *testing.T) {
	t.Parallel()
	service, err := embedded.Open(t.Context(), embedded.Config{DefaultPlan: promptrails.PlanEnterprise})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = service.Close() })
	c := ownerClient(t, service)
	const many = 2050
	for i := range many {
		_, err := c.Credentials.Create(t.Context(), &promptrails.CreateCredentialParams{Name: fmt.Sprintf("key %04d", i), Type: "openai", Value: promptrails.NewSecret("sk-value-0123456789")})
		if err != nil {
			t.Fatal(err)
		}
	}
	list := func(p promptrails.ListCredentialsParams) *promptrails.Page[promptrails.Credential] {
		t.Helper()
		page, err := c.Credentials.List(t.Context(), &p)
		if err != nil {
			t.Fatal(err)
		}
		return page
	}
	if meta := list(promptrails.ListCredentialsParams{}).Meta; meta.Total != many || meta.Pages == 0 {
		t.Errorf("Credentials.List: got %+v, want the total %d", meta, many)
	}
	if meta := list(promptrails.ListCredentialsParams{Type: "openai"}).Meta; meta.Total != 0 || meta.Pages != 0 || meta.Page != 1 || meta.NextCursor == "" {
		t.Errorf("Credentials.List by type: got %+v, want a cursor and no total", meta)
	}
	if page := list(promptrails.ListCredentialsParams{Query: "key 0000"}); len(page.Items) != 0 || page.Meta.NextCursor == "" || page.Meta.Total != 0 {
		t.Errorf("Credentials.List with q: got %+v, want no item, a cursor and no total", page)
	}
	refused, err := c.Credentials.List(t.Context(), &promptrails.ListCredentialsParams{Query: "key", ListOptions: promptrails.ListOptions{Page: 2}})
	if e, ok := errors.AsType[*promptrails.ValidationError](err); !ok || e.Fields["page"] == "" {
		t.Errorf("Credentials.List of page 2 with q: got %+v, error %v; want a ValidationError of page", refused, err)
	}
	for _, walk := range []struct {
		by   promptrails.ListCredentialsParams
		want int
	}{
		{promptrails.ListCredentialsParams{Query: "key 0000"}, 1},
		{promptrails.ListCredentialsParams{Query: "nothing"}, 0},
		{promptrails.ListCredentialsParams{Query: "key"}, many},
		{promptrails.ListCredentialsParams{Type: "openai"}, many},
		{promptrails.ListCredentialsParams{Type: "openai", ListOptions: promptrails.ListOptions{Page: 21}}, 50},
		{promptrails.ListCredentialsParams{Type: "openai", ListOptions: promptrails.ListOptions{Page: 20}}, 150},
		{promptrails.ListCredentialsParams{ListOptions: promptrails.ListOptions{Page: 100, Limit: 20}}, many - 99*20},
	} {
		n := 0
		for _, err := range c.Credentials.All(t.Context(), &walk.by) {
			if err != nil {
				t.Fatalf("Credentials.All of %+v: got %v, want no error", walk.by, err)
			}
			n++
		}
		if n != walk.want {
			t.Errorf("Credentials.All of %+v: got %d items, want %d", walk.by, n, walk.want)
		}
	}
}
