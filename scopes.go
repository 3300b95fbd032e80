package promptrails

// Scope is what an API key may do, written area:verb. The type is open: a
// server may know scopes that this version does not.
type Scope string

// The scopes of the areas that this version of the package covers.
const (
	ScopeAll             Scope = "*" // everything
	ScopeWorkspacesRead  Scope = "workspaces:read"
	ScopeWorkspacesWrite Scope = "workspaces:write"
	ScopeMembersRead     Scope = "members:read"
	// ScopeMembersWrite can invite an admin, and so is worth as much as
	// [ScopeAll]: give it to no key that is not trusted with the workspace.
	ScopeMembersWrite  Scope = "members:write"
	ScopeChangelogRead Scope = "changelog:read"

	ScopeCredentialsRead  Scope = "credentials:read"
	ScopeCredentialsWrite Scope = "credentials:write"
)

// Scopes is a list of scopes.
type Scopes []Scope
