// Package policy holds the authorization rules as pure functions. The client and
// the service share them.
package policy

// The roles of a workspace's members.
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

// IsRole reports whether role is a known role.
func IsRole(role string) bool { return rank(role) > 0 }

// AtLeast reports whether role ranks at or above minRole.
func AtLeast(role, minRole string) bool { return rank(role) >= rank(minRole) }

// MayChangeRole reports whether actor may change a member's role from target to
// to. The actor must be at least an admin, target must rank below actor, and to
// must not rank above actor.
func MayChangeRole(actor, target, to string) bool {
	return AtLeast(actor, Admin) && rank(target) < rank(actor) && rank(to) <= rank(actor)
}
