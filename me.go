package promptrails

import "context"

// User is a person, who can be a member of many workspaces.
type User struct {
	ID    string `json:"id"`
	Email string `json:"email"`
	Name  string `json:"name"`
}

var opMe = operation{"Me", "GET", "/me", "", acrossWorkspaces | personOnly}

// Me returns the person that the client's access token belongs to. With an API
// key, it returns a 403 user_token_required, which matches [ErrForbidden].
func (c *Client) Me(ctx context.Context, opts ...RequestOption) (*User, error) {
	return one[User](ctx, c, call{op: opMe, opts: opts})
}
