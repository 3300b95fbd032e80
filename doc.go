// Package promptrails administers PromptRails workspaces: members,
// invitations, credentials and API keys, notifications, data masking and
// billing, and the changelog of what was changed by whom. It is a client of the
// API over HTTP, made by its users and not by the vendor. Its [Authenticator]
// guards other services with the same keys, and [ParseWebhook] reads what a
// workspace tells them.
//
// # Quick start
//
//	client, err := promptrails.NewClient() // PROMPTRAILS_ACCESS_TOKEN or PROMPTRAILS_API_KEY
//	if err != nil {
//		return err
//	}
//	workspace, err := client.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
//	if err != nil {
//		return err
//	}
//	for member, err := range client.InWorkspace(workspace.ID).Members.All(ctx, nil) {
//		if err != nil {
//			return err
//		}
//		fmt.Println(member.Email, member.Role)
//	}
//
// Package embedded runs the whole workspace service inside a program, and
// package promptrailstest inside a test, with no network.
//
// # Workspaces
//
// A workspace is the top-level container: everything belongs to exactly one. An
// API key is bound to its workspace. A person, with an access token, may be a
// member of many, and names one with [WithWorkspace] or [Client.InWorkspace].
// Agents, prompts and all else that a workspace holds are [ResourcesService]'s,
// by their [ResourceKind].
//
// # Scopes
//
// An API key's [Scopes] determine what it can do. The documentation of each
// method names the scope that it requires. If it is missing, the server returns a
// [*ScopeError]; with [WithScopes] or [WithScopeCheck] the client does, before
// anything is sent.
//
// # Errors
//
// Every failed call is an [*Error], or one of the types above it that say more
// ([*ScopeError], [*RoleError], [*QuotaError], [*FeatureError],
// [*ValidationError], [*RateLimitError]), for [errors.As]; the sentinels, such
// as [ErrNotFound], are for [errors.Is]. An object of a workspace that the caller
// is not in does not exist for the caller: [ErrNotFound]. A fault that is found
// before anything is sent is a [*ValidationError] that wraps no [*Error].
//
// # Retries
//
// A call is repeated when it got no complete response, and after the statuses
// 408, 425, 429, 502, 503 and 504: three times by default ([WithMaxRetries]),
// with pauses drawn at random from up to 250 ms, doubling to 8 s. A Retry-After
// of up to one minute replaces the pause, with up to a quarter of it added at
// random; a longer one, or a pause that would exceed the context's deadline,
// returns the error immediately. Each attempt has its own timeout
// ([WithTimeout]). A budget shared by all calls of a client keeps retries from
// multiplying an outage: when it is spent, a call is one request.
//
// POST, PATCH, PUT and DELETE carry an Idempotency-Key that is the same for each
// attempt. POST and PATCH are repeated like the rest only at a server that has
// said that it honours the key, or with [WithIdempotentServer]; otherwise only
// after 429, and if no byte of the request can have reached a server.
//
// # Outcomes
//
// A call returns without an error only if the API confirmed it: an HTML page
// with status 200 does not, and a 404 on the retry of a DELETE only if the API
// says that this very object does not exist. If a change may have been made in
// spite of an error, the error says that the outcome is not known, and what to do:
// repeat the call with its key ([WithIdempotencyKey]) at a server that honours
// keys, and read the object at any other.
//
// # Lists
//
// All returns every item once, or an error: it follows the server's cursors, or
// reads pages by number until the list is known to be complete. A page that is
// larger than [WithMaxResponseSize] allows is requested again with fewer items.
//
// # JSON
//
// The types of this package marshal to the form of the API, with a time that is
// not set as null and secrets redacted. Bodies of your own types, in
// [ResourcesService] and [Client.Do], follow the rules of encoding/json.
//
// # Secrets
//
// Tokens and keys are of the type [Secret], which shows as [redacted] in every
// formatting verb, logger and encoder. Headers that authenticate never leave the
// origin that they were meant for.
package promptrails
