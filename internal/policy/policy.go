// Package policy holds the rules of who may do what, as pure functions over
// plain values: both sides of the API judge by it.
package policy

// The roles of a workspace.
const (
	Owner = "owner"
	Admin = "admin"
	User  = "user"
)

func rank(role string) int {
	switch role {
	case Owner:
		return 3
	case Admin:
		return 2
	case User:
		return 1
	default:
		return 0
	}
}

// IsRole reports whether role is one of a workspace's.
func IsRole(role string) bool { return rank(role) > 0 }

// AtLeast reports whether role may do what least may.
func AtLeast(role, least string) bool { return rank(role) >= rank(least) }

// MayChangeRole reports whether actor may give a member of the role target the
// role to: the member must rank below the actor, the new role not above.
func MayChangeRole(actor, target, to string) bool {
	return AtLeast(actor, Admin) && rank(target) < rank(actor) && rank(to) <= rank(actor)
}
