package api

import (
	"net/http"

	"github.com/rs/cors"

	"github.com/promptrails-community/promptrails-go/internal/policy"
)

// preflightAge is the time in seconds for which browsers cache a preflight
// response.
const preflightAge = 600

// withCORS adds the CORS protocol of the Fetch standard to next. It allows the
// given origins, or all if the list is empty. It responds to preflight
// requests, which are not authenticated, for every path. Credentialed requests
// are not allowed, since the API has no cookies.
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
