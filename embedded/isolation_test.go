package embedded_test

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/segmentio/ksuid"

	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/apicheck"
)

// Whatever the route, an identifier of another workspace is answered like one
// that does not exist, and leaves no trace. The routes are those of the API's
// description, so a new one is covered as it comes.
func TestIsolation(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, cfg embedded.Config) {
		s := newServer(t, cfg)
		eve := s.owner("eve@example.com", "mine")
		ada := s.owner("zoe@example.com", "theirs")
		ada.member("grace@example.com", "user")
		ada.do("POST", "/invitations", `{"email":"joan@example.com","role":"user"}`).expect(201)
		ada.credential("sk-theirs")
		ada.key(all)
		key := eve.key(all)
		foreign := ada.everything()
		before := ada.everything()

		document, err := apicheck.Document()
		if err != nil {
			t.Fatal(err)
		}
		tried := 0
		for path, item := range document.Paths.Map() {
			for method, op := range item.Operations() {
				for _, id := range slices.Sorted(maps.Keys(foreign)) {
					if _, err := ksuid.Parse(id); err != nil {
						continue // an address or a hash
					}
					for _, call := range []struct {
						name        string
						as, unknown caller
						id          string
					}{
						{"an id in the path", eve.do, eve.do, id},
						{"the other workspace in the header", eve.in(ada.workspace).do, eve.in(ksuid.New().String()).do, id},
						{"the other slug", eve.do, eve.do, "theirs"},
						{"an id, by a key", key.do, key.do, id},
						{"the other workspace, by a key", key.in(ada.workspace), key.in(ksuid.New().String()), id},
					} {
						tried++
						got := try(t, call.as, method, path, op, call.id)
						want := try(t, call.unknown, method, path, op, ksuid.New().String())
						if got.status != want.status || got.body != want.body {
							t.Errorf("%s %s, %s: %d %s; an unknown one is %d %s", method, path, call.name, got.status, got.body, want.status, want.body)
						}
						for secret := range foreign {
							if strings.Contains(got.body, secret) {
								t.Errorf("%s %s, %s: the answer tells %s", method, path, call.name, secret)
							}
						}
					}
				}
			}
		}
		if after := ada.everything(); tried < 200 || !maps.Equal(before, after) {
			t.Errorf("after %d calls the other workspace has changed: %v, before %v", tried, after, before)
		}
		if log := eve.do("GET", "/changelog?limit=100", "").body; strings.Contains(log, ada.workspace) || strings.Contains(log, "joan@example.com") {
			t.Errorf("the changelog tells of the other workspace: %s", log)
		}
	})
}

// everything returns the identifiers and addresses of what is in a workspace.
func (p *person) everything() map[string]bool {
	p.s.t.Helper()
	found := map[string]bool{p.workspace: true}
	for _, path := range []string{"/members?limit=100", "/invitations?limit=100", "/credentials?limit=100", "/api-keys?limit=100", "/changelog?limit=100"} {
		var page struct {
			Data []struct {
				ID    string `json:"id"`
				Email string `json:"email"`
				Hash  string `json:"hash"`
			} `json:"data"`
		}
		if err := json.Unmarshal([]byte(p.do("GET", path, "").expect(200).body), &page); err != nil {
			p.s.t.Fatal(err)
		}
		for _, item := range page.Data {
			found[item.ID] = true
			for _, text := range []string{item.Email, item.Hash} {
				if text != "" {
					found[text] = true
				}
			}
		}
	}
	return found
}

// caller sends a request as somebody.
type caller = func(method, path, body string, headers ...string) *reply

// in is the key naming another workspace than its own.
func (k *keyCaller) in(workspace string) caller {
	return func(method, path, body string, headers ...string) *reply {
		return k.do(method, path, body, append(headers, "X-Workspace-ID", workspace)...)
	}
}

// try calls an operation with an identifier wherever one goes: in the path, in
// the query and in the body. What else the body takes is left out.
func try(t *testing.T, as caller, method, path string, op *openapi3.Operation, id string) *reply {
	t.Helper()
	body := ""
	if op.RequestBody != nil {
		fields := map[string]string{}
		for name := range op.RequestBody.Value.Content["application/json"].Schema.Value.Properties {
			if strings.HasSuffix(name, "_id") {
				fields[name] = id
			}
		}
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		body = string(text)
	}
	query := url.Values{}
	for _, parameter := range op.Parameters {
		if name := parameter.Value.Name; parameter.Value.In == "query" && (name == "q" || name == "created_by" || strings.HasSuffix(name, "_id")) {
			query.Set(name, id)
		}
	}
	return as(method, strings.ReplaceAll(path, "{id}", id)+"?"+query.Encode(), body)
}
