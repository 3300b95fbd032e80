package policy

import (
	"slices"
	"strings"
)

// AllScopes is the scope that grants all scopes.
const AllScopes = "*"

// canonical returns the older name of a scope that has two names.
func canonical[S ~string](scope S) S {
	if verb, ok := strings.CutPrefix(string(scope), "agent_triggers:"); ok {
		return S("webhook_triggers:" + verb)
	}
	return scope
}

// Covers reports whether the granted scopes include required.
func Covers[S ~string](granted []S, required S) bool {
	return slices.Contains(granted, required) || slices.ContainsFunc(granted, func(g S) bool {
		return g == AllScopes || canonical(g) == canonical(required)
	})
}

// CoversAll reports whether granted covers all the scopes. Only [AllScopes]
// covers [AllScopes].
func CoversAll[S ~string](granted, scopes []S) bool {
	return !slices.ContainsFunc(scopes, func(s S) bool { return !Covers(granted, s) })
}
