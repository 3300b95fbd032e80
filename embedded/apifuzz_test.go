package embedded_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/apicheck"
)

// TestAPIWithHostileRequests sends random requests to every operation of
// openapi.yaml: wrong types, nesting, huge strings and numbers, unknown fields and
// parameters, with an access token, an API key or neither. No response is a 5xx
// or takes more than 20 seconds, and accepted documents are stored unchanged.
func TestAPIWithHostileRequests(t *testing.T) {
	t.Parallel()
	requests := 20_000
	if testing.Short() {
		requests = 2_000
	}
	document := must[*openapi3.T](t)(apicheck.Document())
	type target struct {
		method, path string
		op           *openapi3.Operation
		params       openapi3.Parameters
	}
	var targets []target
	for path, item := range document.Paths.Map() {
		for method, op := range item.Operations() {
			targets = append(targets, target{method, path, op, append(slices.Clone(item.Parameters), op.Parameters...)})
		}
	}
	slices.SortFunc(targets, func(a, b target) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	collections := map[string]bool{}
	for _, kind := range promptrails.ResourceKinds() {
		collections["/"+string(kind)] = kind != promptrails.KindCredentials && kind != promptrails.KindAPIKeys
	}
	const workers = 4
	for worker := range workers {
		t.Run(fmt.Sprint("worker ", worker), func(t *testing.T) {
			t.Parallel()
			// Most of these requests do not conform to openapi.yaml.
			s := serve(t, embedded.Config{DefaultPlan: promptrails.PlanEnterprise}, func(h http.Handler) http.Handler { return h })
			seed := rand.Uint64()
			t.Log("seed: ", seed)
			f := &hostile{Rand: rand.New(rand.NewPCG(uint64(worker), seed))}
			var ada *person
			var key *keyCaller
			for i := range requests / workers {
				if i%100 == 0 { // earlier requests may have deleted or revoked them
					ada = s.owner(fmt.Sprintf("ada%d@example.com", i), fmt.Sprint("research", i))
					key = ada.key(all)
					f.ids = []string{ada.workspace, key.id, ada.do("GET", "/members/me", "").text("id"), ada.do("POST", "/agents", `{"name":"a"}`).text("id"), ada.credential("sk-value")}
				}
				to := targets[f.IntN(len(targets))]
				path := f.path(to.path)
				if q := f.query(to.params); q != "" {
					path += "?" + q
				}
				body := ""
				if to.op.RequestBody != nil && f.IntN(10) > 0 || f.IntN(20) == 0 {
					body = f.body(to.op)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				req, err := http.NewRequestWithContext(ctx, to.method, s.url+"/api/v1"+path, strings.NewReader(body))
				if err != nil { // not a valid URL
					cancel()
					continue
				}
				f.headers(req.Header, ada, key)
				resp, err := s.http.Do(req)
				if err != nil {
					t.Fatalf("%s %.300s %.300s: got %v, want a response", to.method, path, body, err)
				}
				text, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				cancel()
				if err != nil || resp.StatusCode >= 500 {
					t.Fatalf("%s %.300s %.300s %v: got %d %s (error: %v), want a status below 500", to.method, path, body, req.Header, resp.StatusCode, text, err)
				}
				if resp.StatusCode == 201 && to.method == "POST" && collections[to.path] {
					checkStored(t, body, text)
				}
				if resp.StatusCode >= 400 && !json.Valid(text) {
					t.Errorf("%s %.300s: got %d %.300s, want JSON", to.method, path, resp.StatusCode, text)
				}
			}
		})
	}
}

// checkStored checks that the response to a create has each member of the request
// unchanged, byte for byte.
func checkStored(t *testing.T, request string, response []byte) {
	t.Helper()
	var want map[string]json.RawMessage
	var got struct{ Data map[string]json.RawMessage }
	if err := json.Unmarshal([]byte(request), &want); err != nil {
		t.Errorf("accepted body %.300s: got %v, want JSON", request, err)
	}
	if err := json.Unmarshal(response, &got); err != nil {
		t.Errorf("response %.300s: got %v, want JSON", response, err)
	}
	for name, value := range want {
		if name == "status" && (string(value) == "null" || string(value) == `""`) {
			value = json.RawMessage(`"active"`) // the default
		}
		if !bytes.Equal(got.Data[name], value) {
			t.Errorf("member %q: got %.300s, want %.300s", name, got.Data[name], value)
		}
	}
}

// hostile generates requests.
type hostile struct {
	*rand.Rand
	ids []string // of objects that exist
}

// path replaces the parameters of a path.
func (f *hostile) path(template string) string {
	elements := strings.Split(template, "/")
	for i, e := range elements {
		if strings.HasPrefix(e, "{") {
			elements[i] = f.ids[f.IntN(len(f.ids))]
			if f.IntN(4) == 0 {
				elements[i] = url.PathEscape(f.text())
			}
		}
	}
	return strings.Join(elements, "/")
}

// query returns a query with some of the operation's parameters.
func (f *hostile) query(params openapi3.Parameters) string {
	values := url.Values{}
	for _, p := range params {
		if p.Value.In == "query" && f.IntN(3) == 0 {
			values.Add(p.Value.Name, f.parameter())
		}
	}
	if f.IntN(15) == 0 {
		values.Add(f.text(), f.text())
	}
	if f.IntN(30) == 0 {
		return values.Encode() + "&%zz;=&=&a=%00"
	}
	return values.Encode()
}

// parameter returns a value of a parameter or header.
func (f *hostile) parameter() string {
	switch f.IntN(6) {
	case 0:
		return fmt.Sprint(f.Int64() - f.Int64())
	case 1:
		return fmt.Sprint(f.IntN(200) - 20)
	case 2:
		return []string{"asc", "desc", "revoke", "true", "user", "active", "research", "2026-01-02T03:04:05Z", "9999-12-31T23:59:59Z", "0000-00-00T00:00:00Z"}[f.IntN(10)]
	case 3:
		return f.ids[f.IntN(len(f.ids))]
	default:
		return f.text()
	}
}

// text returns a string.
func (f *hostile) text() string {
	switch f.IntN(9) {
	case 0:
		return strings.Repeat("a", f.IntN(60_000))
	case 1:
		return "\x00"
	case 2:
		return "\xff\xfe"
	case 3:
		return "%' OR 1=1 --"
	case 4:
		return "\u202e\U0001f600\u200b"
	case 5:
		return "../../x"
	case 6:
		return ""
	case 7:
		return "ada@example.com"
	default:
		return fmt.Sprint("t", f.IntN(1000))
	}
}

// body returns a request body.
func (f *hostile) body(op *openapi3.Operation) string {
	switch f.IntN(12) {
	case 0:
		return strings.Repeat("[", f.IntN(20_000))
	case 1:
		return strings.Repeat(`{"a":`, f.IntN(300)) + "1" + strings.Repeat("}", f.IntN(300))
	case 2:
		return f.text()
	case 3:
		return `{"name":"a","name":"b"}`
	}
	object := map[string]any{}
	if op.RequestBody != nil {
		if media := op.RequestBody.Value.Content["application/json"]; media != nil && media.Schema != nil {
			for name, property := range media.Schema.Value.Properties {
				if f.IntN(3) > 0 {
					object[name] = f.like(property.Value)
				}
			}
		}
	}
	if f.IntN(4) == 0 {
		object["name"] = "n"
	}
	if f.IntN(6) == 0 {
		object[strings.ToValidUTF8(f.text(), "?")] = f.value(3)
	}
	text, err := json.Marshal(object)
	if err != nil {
		return "{"
	}
	return string(text)
}

// like returns a value that often conforms to the schema.
func (f *hostile) like(schema *openapi3.Schema) any {
	switch {
	case f.IntN(6) == 0:
		return f.value(3)
	case len(schema.Enum) > 0:
		return schema.Enum[f.IntN(len(schema.Enum))]
	case schema.Type.Includes("string") && schema.Format == "date-time":
		return "2099-01-01T00:00:00Z"
	case schema.Type.Includes("string"):
		return fmt.Sprint("t", f.IntN(1000))
	case schema.Type.Includes("integer"), schema.Type.Includes("number"):
		return f.IntN(100)
	case schema.Type.Includes("boolean"):
		return f.IntN(2) == 0
	case schema.Type.Includes("array") && schema.Items != nil:
		return []any{f.like(schema.Items.Value)}
	default:
		return f.value(3)
	}
}

// value returns a JSON value with the given maximum depth.
func (f *hostile) value(depth int) any {
	switch f.IntN(13) {
	case 0:
		return nil
	case 1:
		return f.IntN(2) == 0
	case 2:
		return f.Int64() - f.Int64()
	case 3:
		return json.RawMessage(`1e400`)
	case 4:
		return json.RawMessage(`123456789012345678901234567890.5`)
	case 5, 6:
		return strings.ToValidUTF8(f.text(), "?")
	case 7:
		return f.ids[f.IntN(len(f.ids))]
	case 8:
		return "https://example.com/" + fmt.Sprint(f.IntN(9))
	case 9:
		return []string{"admin", "openai", "*", "agents:read", "webhook", "pro", "2099-01-01T00:00:00Z", "active"}[f.IntN(8)]
	case 10:
		return map[string]any{"amount": f.IntN(1_000_000), "currency": "USD"}
	}
	if depth == 0 {
		return 1
	}
	list := make([]any, f.IntN(4))
	for i := range list {
		list[i] = f.value(depth - 1)
	}
	if f.IntN(2) == 0 {
		return list
	}
	object := map[string]any{}
	for i, v := range list {
		object[[]string{"agent_id", "credential_ids", "x", "enabled"}[i]] = v
	}
	return object
}

// headers sets credentials and other headers.
func (f *hostile) headers(h http.Header, ada *person, key *keyCaller) {
	switch f.IntN(10) {
	case 0: // no credentials
	case 1, 2, 3:
		h.Set("X-API-Key", key.secret)
	default:
		h.Set("Authorization", "Bearer "+ada.user.AccessToken.Reveal())
	}
	if f.IntN(10) > 0 {
		h.Set("X-Workspace-ID", ada.workspace)
	}
	clean := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return -1
			}
			return r
		}, s[:min(len(s), 2000)])
	}
	for _, name := range []string{"If-Match", "If-None-Match", "Idempotency-Key", "X-Request-ID", "Origin", "X-Forwarded-For", "User-Agent", "Content-Type", "Content-Encoding"} {
		if f.IntN(25) == 0 {
			h.Set(name, clean(f.parameter()))
		}
		if f.IntN(200) == 0 {
			h.Add(name, clean(f.text()))
		}
	}
	if f.IntN(40) == 0 {
		h.Add("X-Workspace-ID", "other")
	}
}
