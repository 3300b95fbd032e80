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

// Unlimited is the maximum of a limit that a plan does not set.
const Unlimited = -1

// teamMembers is how many seats a plan has.
var teamMembers = map[string]int64{"free": 1, "starter": 5, "pro": 20, "enterprise": Unlimited}

// IsPlan reports whether plan is in the catalogue.
func IsPlan(plan string) bool {
	_, ok := teamMembers[plan]
	return ok
}

// TeamMembers returns how many seats a plan has, or [Unlimited].
func TeamMembers(plan string) int64 { return teamMembers[plan] }
