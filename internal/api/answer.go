package api

import (
	"math"
	"net/http"
	"reflect"
	"strconv"

	"github.com/promptrails-community/promptrails-go/internal/policy"
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
	wire.WriteJSON(w, a.Status, a.Body)
}

func writeRefusal(w http.ResponseWriter, refusal *policy.Refusal) {
	if refusal.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="promptrails"`)
	}
	if refusal.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(refusal.RetryAfter.Seconds()))))
	}
	var details any
	if refusal.Details != nil {
		details = refusal.Details
	}
	wire.WriteFailure(w, refusal.Status, refusal.Code, refusal.Message, details)
}
