package promptrails_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// vendorExchange is a recorded exchange with the vendor's server.
type vendorExchange struct {
	Note    string `json:"note"`
	Request struct {
		Method string  `json:"method"`
		Path   string  `json:"path"`
		Body   *string `json:"body"`
	} `json:"request"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"response"`
}

// vendorExchanges returns the recorded exchanges.
func vendorExchanges(t *testing.T) []vendorExchange {
	t.Helper()
	text, err := os.ReadFile("testdata/vendor/promptrails-local.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vendorExchange
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// object has the fields that all kinds of resources share.
type object struct {
	ID          string    `json:"id"`
	WorkspaceID string    `json:"workspace_id"`
	CreatedAt   time.Time `json:"created_at"`
}

// Do decodes the objects, pages and errors of the vendor's server. All services
// share this code.
func TestVendorRecordings(t *testing.T) {
	t.Parallel()
	exchanges := vendorExchanges(t)
	if len(exchanges) != 43 {
		t.Fatalf("recorded exchanges: got %d, want 43", len(exchanges))
	}
	for _, e := range exchanges {
		t.Run(e.Note+" "+e.Request.Method+" "+e.Request.Path, func(t *testing.T) {
			t.Parallel()
			var headers []string
			for name, value := range e.Response.Headers {
				headers = append(headers, name, value)
			}
			a := &scripted{script: []http.HandlerFunc{status(e.Response.Status, e.Response.Body, headers...)}}
			c := clientOver(t, a)
			var body any
			if e.Request.Body != nil && json.Valid([]byte(*e.Request.Body)) {
				body = json.RawMessage(*e.Request.Body)
			}
			path := strings.TrimPrefix(e.Request.Path, "/api/v1")
			var envelope struct {
				Data json.RawMessage `json:"data"`
				Meta *struct {
					Total      int `json:"total"`
					Page       int `json:"page"`
					Limit      int `json:"limit"`
					TotalPages int `json:"total_pages"`
				} `json:"meta"`
				Message string          `json:"message"`
				Error   json.RawMessage `json:"error"`
			}
			if e.Response.Body != "" {
				if err := json.Unmarshal([]byte(e.Response.Body), &envelope); err != nil {
					t.Fatal(err)
				}
			}
			switch isList := len(envelope.Data) > 0 && envelope.Data[0] != '{'; {
			case e.Response.Status >= 400:
				checkVendorError(t, c.Do(t.Context(), e.Request.Method, path, body, nil), e, envelope.Message, envelope.Error)
			case e.Response.Status == 204:
				if err := c.Do(t.Context(), e.Request.Method, path, body, nil); err != nil {
					t.Errorf("Do: got %v, want no error", err)
				}
			case isList:
				var page promptrails.Page[object]
				if err := c.Do(t.Context(), e.Request.Method, path, body, &page); err != nil {
					t.Fatal(err)
				}
				var want []*object
				if err := json.Unmarshal(envelope.Data, &want); err != nil {
					t.Fatal(err)
				}
				if len(want) != len(page.Items) || len(want) > 0 && !cmp.Equal(want, page.Items) {
					t.Errorf("items (-want +got):\n%s", cmp.Diff(want, page.Items))
				}
				meta := promptrails.Meta{}
				if m := envelope.Meta; m != nil {
					meta = promptrails.Meta{Total: m.Total, Page: m.Page, Limit: m.Limit, Pages: m.TotalPages}
				}
				if diff := cmp.Diff(meta, page.Meta); diff != "" {
					t.Errorf("meta (-want +got):\n%s", diff)
				}
			default:
				var got, want object
				if err := c.Do(t.Context(), e.Request.Method, path, body, &got); err != nil {
					t.Fatal(err)
				}
				if err := json.Unmarshal(envelope.Data, &want); err != nil || want.ID == "" {
					t.Fatalf("recorded object: got %+v and error %v, want an id", want, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("object (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// checkVendorError checks the status, code and message of err. The inner JSON is
// the error object of the response; without it, the message is wanted.
func checkVendorError(t *testing.T, err error, e vendorExchange, message string, inner json.RawMessage) {
	t.Helper()
	got, ok := errors.AsType[*promptrails.Error](err)
	if !ok || got.Status != e.Response.Status {
		t.Fatalf("Do: got %v, want an *Error with status %d", err, e.Response.Status)
	}
	want := struct{ Code, Message string }{Message: message}
	if inner != nil {
		if err := json.Unmarshal(inner, &want); err != nil {
			t.Fatal(err)
		}
	}
	if string(got.Code) != want.Code || got.Message != want.Message {
		t.Errorf("code and message: got %q and %q, want %q and %q", got.Code, got.Message, want.Code, want.Message)
	}
	if sentinel := map[int]error{400: promptrails.ErrValidation, 404: promptrails.ErrNotFound}[e.Response.Status]; sentinel != nil && !errors.Is(err, sentinel) {
		t.Errorf("Do: got %v, want %v", err, sentinel)
	}
}
