package api

import (
	"math"
	"net/http"
	"reflect"
	"strconv"

	"github.com/promptrails-community/promptrails-go/internal/service"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// object is the envelope of one object.
type object struct {
	Data any `json:"data"`
}

// newAnswer encodes what is answered with: an object, in its envelope, or a
// page, which brings its own.
func newAnswer(status int, v any) (*service.Answer, error) {
	body, err := wire.Encode(v)
	if err != nil {
		return nil, err
	}
	answer := &service.Answer{Status: status, Body: body}
	if o, ok := v.(object); ok {
		answer.ETag = etag(o.Data)
		sealed, ok := o.Data.(interface{ HoldsSecret() bool })
		answer.Secret = ok && sealed.HoldsSecret() || len(wire.Secrets(v)) > 0
	}
	return answer, nil
}

// etag is the version of an object, where it has one.
func etag(v any) string {
	value := reflect.Indirect(reflect.ValueOf(v))
	if value.Kind() != reflect.Struct {
		return ""
	}
	version := value.FieldByName("Version")
	if !version.IsValid() || version.Int() == 0 {
		return ""
	}
	return strconv.Quote(strconv.FormatInt(version.Int(), 10))
}

func write(w http.ResponseWriter, a *service.Answer) {
	h := w.Header()
	if a.ETag != "" {
		h.Set("ETag", a.ETag)
	}
	if a.Replayed {
		h.Set("Idempotency-Replayed", "true")
	}
	if a.Status == http.StatusNoContent || a.Status == http.StatusNotModified {
		w.WriteHeader(a.Status)
		return
	}
	writeJSON(w, a.Status, a.Body)
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that is gone needs no answer
}

func writeProblem(w http.ResponseWriter, p *service.Problem) {
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="promptrails"`)
	}
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.RetryAfter.Seconds()))))
	}
	failure := wire.Failure{Error: wire.FailureBody{Code: string(p.Code), Message: p.Message}}
	if p.Details != nil {
		failure.Error.Details = p.Details
	}
	body, err := wire.Encode(failure)
	if err != nil { // text of the caller's that is no UTF-8
		body = []byte(`{"error":{"code":"` + string(p.Code) + `","message":"the request is not valid"}}`)
	}
	writeJSON(w, p.Status, body)
}
