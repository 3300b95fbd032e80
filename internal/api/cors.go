package api

import (
	"net/http"

	"github.com/rs/cors"

	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// preflightAge is how long a browser may remember a preflight: seconds.
const preflightAge = 600

// withCORS lets browsers call the API (Fetch standard, CORS protocol), from the
// origins of the list, or from any if it is empty. It answers preflights, which carry
// no key, for every path. Credentials, which are cookies, are not allowed: the API
// has none.
func withCORS(origins []policy.Origin, next http.Handler) http.Handler {
	options := cors.Options{
		AllowedOrigins: []string{"*"},
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"*"},
		ExposedHeaders: []string{
			"ETag", "X-Request-ID", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Idempotency-Replayed", "Idempotency-Key-Honored",
		},
		MaxAge:               preflightAge,
		OptionsSuccessStatus: http.StatusNoContent,
	}
	if len(origins) > 0 {
		options.AllowedOrigins = nil
		options.AllowOriginVaryRequestFunc = func(_ *http.Request, origin string) (bool, []string) {
			return policy.AllowsOrigin(origins, []string{origin}), nil
		}
	}
	return cors.New(options).Handler(next)
}
