package promptrails_test

import (
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// wireTypes are types that are encoded as or decoded from the API's JSON.
var wireTypes = []any{
	promptrails.Workspace{},
	promptrails.Member{},
	promptrails.Invitation{},
	promptrails.Credential{},
	promptrails.CredentialCheck{},
	promptrails.APIKey{},
	promptrails.CreatedAPIKey{},
	promptrails.APIKeyVerification{},
	promptrails.Channel{},
	promptrails.Delivery{},
	promptrails.DeliveryAttempt{},
	promptrails.MaskingSettings{},
	promptrails.MaskingOverride{},
	promptrails.MaskingPreview{},
	promptrails.Plan{},
	promptrails.Subscription{},
	promptrails.Invoice{},
	promptrails.Balance{},
	promptrails.Transaction{},
	promptrails.Usage{},
	promptrails.User{},
	promptrails.UsageEvent{},
	promptrails.MemberEvent{},
	promptrails.PaymentEvent{},
	promptrails.ExecutionEvent{},
	promptrails.Resource{},
	promptrails.ChangelogHead{},
	promptrails.UpdateAPIKeyParams{},
	promptrails.CreateAPIKeyParams{},
}

// With encoding/json and its version 2, each type marshals to the API's JSON and
// unmarshals to an equal value. A zero time is null.
func TestTypesRoundTrip(t *testing.T) {
	t.Parallel()
	codecs := map[string]struct {
		marshal   func(any) ([]byte, error)
		unmarshal func([]byte, any) error
	}{
		"encoding/json": {json.Marshal, json.Unmarshal},
		"version 2":     {func(v any) ([]byte, error) { return jsonv2.Marshal(v) }, func(b []byte, v any) error { return jsonv2.Unmarshal(b, v) }},
	}
	equal := []cmp.Option{
		cmp.Comparer(func(a, b promptrails.Secret) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		cmp.FilterValues(func(a, b any) bool { return isEmpty(a) && isEmpty(b) }, cmp.Comparer(func(_, _ any) bool { return true })),
	}
	for name, codec := range codecs {
		for _, sample := range wireTypes {
			typ := reflect.TypeOf(sample)
			t.Run(name+" "+typ.Name(), func(t *testing.T) {
				t.Parallel()
				zero, err := codec.marshal(sample)
				if err != nil || strings.Contains(string(zero), "0001-01-01") {
					t.Errorf("marshal of the zero value: got %s, %v; want null for a zero time", zero, err)
				}
				rapid.Check(t, func(t *rapid.T) {
					v := reflect.New(typ)
					fill(t, v.Elem())
					text, err := codec.marshal(v.Interface())
					if err != nil {
						t.Fatal(err)
					}
					again := reflect.New(typ)
					if err := codec.unmarshal(text, again.Interface()); err != nil {
						t.Fatalf("unmarshal of %s: got %v, want no error", text, err)
					}
					if diff := cmp.Diff(v.Interface(), again.Interface(), equal...); diff != "" {
						t.Fatalf("round trip of %s (-want +got):\n%s", text, diff)
					}
				})
			})
		}
	}
}

// isEmpty reports whether v is an empty or nil slice, map or JSON text.
func isEmpty(v any) bool {
	r := reflect.ValueOf(v)
	return r.IsValid() && (r.Kind() == reflect.Slice || r.Kind() == reflect.Map) && r.Len() == 0
}

// fill sets the fields of v to random values, except secrets, which are redacted.
func fill(t *rapid.T, v reflect.Value) {
	switch v.Interface().(type) {
	case promptrails.Secret:
		return
	case time.Time:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.ValueOf(time.Unix(0, rapid.Int64Range(-1e18, 1e18).Draw(t, "time")).UTC()))
		}
		return
	case json.RawMessage:
		return
	}
	switch v.Kind() { //nolint:exhaustive // only the kinds of wireTypes
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(t, v.Field(i))
			}
		}
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "string"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64Range(-1<<53, 1<<53).Draw(t, "int"))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "given") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem())
		}
	case reflect.Slice:
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			item := reflect.New(v.Type().Elem()).Elem()
			fill(t, item)
			v.Set(reflect.Append(v, item))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			key, item := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key)
			fill(t, item)
			v.SetMapIndex(key, item)
		}
	}
}

// Marshaled objects have redacted secrets, except in the package's requests.
func TestMarshaledSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	for _, v := range []any{
		promptrails.CreatedAPIKey{Key: promptrails.NewSecret("pr_live_planted")},
		&promptrails.CreatedAPIKey{Key: promptrails.NewSecret("pr_live_planted")},
		promptrails.Invitation{Token: promptrails.NewSecret("pr_live_planted")},
		promptrails.Channel{Secret: promptrails.NewSecret("pr_live_planted")},
		promptrails.CreateCredentialParams{Value: promptrails.NewSecret("pr_live_planted")},
	} {
		one, err1 := json.Marshal(v)
		two, err2 := jsonv2.Marshal(v)
		if text := string(one) + string(two); err1 != nil || err2 != nil || strings.Contains(text, "planted") || strings.Count(text, "[redacted]") != 2 {
			t.Errorf("marshal of %T: got %s, %v, %v; want the secret redacted twice", v, text, err1, err2)
		}
	}
}

// An event, also one of an unknown type, is equal after a JSON round trip.
func TestEventThroughJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, event := range []promptrails.Event{
		{ID: "msg_1", Type: "new.kind", Timestamp: at, WorkspaceID: "w", Raw: json.RawMessage(`{"a":[1.50,"\u00fc"]}`)},
		{ID: "msg_2", Type: promptrails.EventMemberJoined, Timestamp: at, WorkspaceID: "w", Data: &promptrails.MemberEvent{MemberID: "m", Role: promptrails.RoleUser}, Raw: json.RawMessage(`{"member_id":"m","role":"user","user_id":"","email":"","name":""}`)},
		{ID: "msg_3", Type: "bare.kind"},
	} {
		text, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		var again promptrails.Event
		if err := json.Unmarshal(text, &again); err != nil {
			t.Fatalf("unmarshal of %s: got %v, want no error", text, err)
		}
		if diff := cmp.Diff(event, again); diff != "" {
			t.Errorf("round trip of %s (-want +got):\n%s", text, diff)
		}
	}
	text, err := json.Marshal(promptrails.Event{Type: promptrails.EventChannelTest, Data: &promptrails.ChannelTestEvent{ChannelID: "c"}})
	if err != nil || !strings.Contains(string(text), `"channel_id":"c"`) {
		t.Errorf("marshal of an event without Raw: got %s, %v; want the channel_id of its data", text, err)
	}
}

// Request bodies of the caller's types are encoded as by encoding/json.
func TestBodiesFollowEncodingJSON(t *testing.T) {
	t.Parallel()
	tb := t
	type inner struct {
		A int `json:"a,omitempty"`
	}
	type body struct {
		Name    string            `json:"name,omitempty"`
		Float   float64           `json:"float,omitempty"`
		Bool    bool              `json:"bool,omitempty"`
		Struct  inner             `json:"struct,omitempty"` //nolint:modernize // tests that omitempty has no effect
		Pointer *int              `json:"pointer,omitempty"`
		List    []int             `json:"list,omitempty"`
		Nil     []int             `json:"nil"`
		Map     map[string]string `json:"map"`
		Wait    time.Duration     `json:"wait"`
		Bytes   []byte            `json:"bytes"`
		Array   [3]byte           `json:"array"`
		Number  json.Number       `json:"number"`
		Quoted  int               `json:"quoted,string"`
		Raw     json.RawMessage   `json:"raw"`
		Time    time.Time         `json:"time"`
		Any     any               `json:"any"`
		NoTag   string
		Keys    map[int]string `json:"keys"`
		Ignored string         `json:"-"`
		private string
	}
	rapid.Check(t, func(t *rapid.T) {
		v := body{
			Name: rapid.String().Draw(t, "name"), Float: rapid.Float64Range(-1e9, 1e9).Draw(t, "float"), Bool: rapid.Bool().Draw(t, "bool"), Struct: inner{rapid.IntRange(0, 1).Draw(t, "inner")},
			List: rapid.SliceOfN(rapid.Int(), 0, 2).Draw(t, "list"), Map: rapid.MapOfN(rapid.String(), rapid.String(), 0, 2).Draw(t, "map"), Wait: time.Duration(rapid.Int64().Draw(t, "wait")),
			Bytes: rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"), Number: json.Number(rapid.SampledFrom([]string{"", "0", "12345678901234567890", "1.50"}).Draw(t, "number")),
			Raw: json.RawMessage(rapid.SampledFrom([]string{"null", `{"x": [1]}`}).Draw(t, "raw")), Time: time.Unix(rapid.Int64Range(0, 1e9).Draw(t, "time"), 0).UTC(),
			Any: rapid.SampledFrom([]any{nil, 1, "a", []any{map[string]any{"b": json.Number("7")}}}).Draw(t, "any"), Keys: map[int]string{2: "b", 1: "a"}, private: "p",
		}
		var sent []byte
		a := &scripted{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
			sent, _ = io.ReadAll(r.Body)
			status(200, `{"data":{"id":"a"}}`)(w, r)
		}}}
		c := must[*promptrails.Client](tb)(promptrails.NewClient(promptrails.WithAccessToken(token), promptrails.WithWorkspace("w"), promptrails.WithHTTPClient(&http.Client{Transport: a})))
		if _, err := c.Resources.Update(t.Context(), promptrails.KindAgents, "a", v); err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var x, y any
		if err1, err2 := json.Unmarshal(want, &x), json.Unmarshal(sent, &y); err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if diff := cmp.Diff(x, y); diff != "" {
			t.Fatalf("request body: got %s\nwant %s\n(-want +got):\n%s", sent, want, diff)
		}
	})
}

// A secret in the caller's body is sent. A redacted secret is an error.
func TestSecretsInBodies(t *testing.T) {
	t.Parallel()
	var sent []byte
	a := &scripted{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
		sent, _ = io.ReadAll(r.Body)
		status(200, `{"data":{"id":"a"}}`)(w, r)
	}}}
	type body struct {
		Value promptrails.Secret `json:"value"`
	}
	c := clientOver(t, a)
	if _, err := c.Resources.Create(t.Context(), promptrails.KindAgents, body{promptrails.NewSecret("planted")}); err != nil || string(sent) != `{"value":"planted"}` {
		t.Errorf("Create: got the body %s, %v; want the secret in it", sent, err)
	}
	for _, bad := range []any{body{promptrails.NewSecret("[redacted]")}, map[string]string{"a": "\xff"}, json.RawMessage(`{"a":1,"a":2}`), json.RawMessage(`{`), map[string]any{"n": json.Number("x")}, func() {}} {
		before := a.count()
		if _, err := c.Resources.Create(t.Context(), promptrails.KindAgents, bad); err == nil || a.count() != before {
			t.Errorf("Create with %v: got %v after %d requests, want an error after 0", bad, err, a.count()-before)
		}
	}
}

// The package's types marshal to the API's JSON inside a value of the caller, also
// with the caller's own marshalers.
func TestTypesInsideOtherValues(t *testing.T) {
	t.Parallel()
	unrelated := jsonv2.WithMarshalers(jsonv2.MarshalFunc(func(complex128) ([]byte, error) { return []byte("0"), nil }))
	for _, sample := range wireTypes {
		t.Run(reflect.TypeOf(sample).Name(), func(t *testing.T) {
			want, err := json.Marshal(map[string]any{"it": sample})
			if err != nil {
				t.Fatal(err)
			}
			var sent []byte
			c := clientOver(t, &scripted{script: []http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) {
				sent = must[[]byte](t)(io.ReadAll(r.Body))
				status(200, `{"data":{"id":"a"}}`)(w, r)
			}}})
			if _, err := c.Resources.Update(t.Context(), promptrails.KindAgents, "a", map[string]any{"it": sample}); err != nil {
				t.Fatal(err)
			}
			withOther, err := jsonv2.Marshal(map[string]any{"it": sample}, unrelated)
			if err != nil {
				t.Fatal(err)
			}
			var x, y any
			if err1, err2 := json.Unmarshal(want, &x), json.Unmarshal(sent, &y); err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if diff := cmp.Diff(x, y); diff != "" {
				t.Errorf("Update with %T: got the body %s, want %s", sample, sent, want)
			}
			if strings.Contains(string(withOther), "0001-01-01") {
				t.Errorf("marshal of %T with other marshalers: got %s, want null for a zero time", sample, withOther)
			}
		})
	}
}
