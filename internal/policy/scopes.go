package policy

import (
	"slices"
	"strings"
)

// AllScopes is the scope that grants every other.
const AllScopes = "*"

// canonical returns the older name of a scope that has two.
func canonical(scope string) string {
	if verb, ok := strings.CutPrefix(scope, "agent_triggers:"); ok {
		return "webhook_triggers:" + verb
	}
	return scope
}

// Covers reports whether a key with the scopes granted may do what required
// names.
func Covers(granted []string, required string) bool {
	return slices.ContainsFunc(granted, func(g string) bool {
		return g == AllScopes || canonical(g) == canonical(required)
	})
}

// CoversAll reports whether granted covers each of the scopes: only [AllScopes]
// covers [AllScopes].
func CoversAll(granted, scopes []string) bool {
	return !slices.ContainsFunc(scopes, func(s string) bool { return !Covers(granted, s) })
}
