package api

import (
	"math"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/service"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// object is the envelope of a single object.
type object struct {
	Data any `json:"data"`
}

// newResponse encodes a response. It wraps v in an envelope, unless v is a page.
func newResponse(status int, v any) (*service.Response, error) {
	tag, size := "", service.SizeOf(v)
	if _, ok := v.(interface{ IsPage() }); !ok {
		tag = etag(v)
		v = object{v}
	}
	body, err := encode(v, size)
	return &service.Response{Status: status, Body: body, ETag: tag}, err
}

// encode returns v, with documents of a total size, as JSON. If they are large, no other
// memory than the body and one document is used.
func encode(v any, size int) ([]byte, error) {
	if size <= smallBody {
		return wire.Encode(v)
	}
	const others = 4096 // the envelope and the meta
	body := make(buffer, 0, size+others)
	err := wire.EncodeTo(&body, v)
	return body, err
}

// buffer is a writer that, unlike [bytes.Buffer], does not grow before it is full.
type buffer []byte

// Write implements [io.Writer].
func (b *buffer) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// showsSecret reports whether a response contains a token or key. It encodes
// the value again only if its type can hold a secret.
func showsSecret(v any) bool {
	if sealed, ok := v.(interface{ HoldsSecret() bool }); ok {
		return sealed.HoldsSecret()
	}
	return mayHoldSecret(reflect.TypeOf(v)) && len(wire.Secrets(v)) > 0
}

// secretTypes caches canHoldSecret by [reflect.Type].
var secretTypes sync.Map

func mayHoldSecret(t reflect.Type) bool {
	cached, ok := secretTypes.Load(t)
	if !ok {
		cached, _ = secretTypes.LoadOrStore(t, canHoldSecret(t, nil))
	}
	may, _ := cached.(bool)
	return may
}

// canHoldSecret reports whether values of a type can contain a Secret. It does
// not look into interfaces. The types in within are being examined.
func canHoldSecret(t reflect.Type, within []reflect.Type) bool {
	if t == reflect.TypeFor[promptrails.Secret]() {
		return true
	}
	if slices.Contains(within, t) {
		return false
	}
	within = append(within, t)
	switch t.Kind() { //nolint:exhaustive // the other kinds hold no other type
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return canHoldSecret(t.Elem(), within)
	case reflect.Struct:
		return slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return canHoldSecret(f.Type, within) })
	default:
		return false
	}
}

// etag returns the entity tag of an object, or "" if the object has no version.
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

func writeResponse(w http.ResponseWriter, r *http.Request, a *service.Response) {
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
	send(w, r, a.Status, a.Body)
}

func writeRefusal(w http.ResponseWriter, refusal *policy.Refusal) {
	if refusal.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="promptrails"`)
	}
	if refusal.RetryAfter > 0 {
		w.Header().Set("Retry-After", seconds(refusal.RetryAfter))
	}
	var details any
	if refusal.Details != nil {
		details = refusal.Details
	}
	wire.WriteFailure(w, refusal.Status, refusal.Code, refusal.Message, details)
}

// seconds returns a duration in whole seconds, rounded up.
func seconds(d time.Duration) string { return strconv.Itoa(int(math.Ceil(d.Seconds()))) }
