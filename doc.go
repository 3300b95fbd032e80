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
// What an API key may do, its [Scopes] say; the documentation of each method
// names the one that it takes. The server refuses what is missing with a
// [*ScopeError]; with [WithScopes] or [WithScopeCheck] the client does, before
// anything is sent.
//
// # Errors
//
// Every failed call is an [*Error], or one of the types above it that say more
// ([*ScopeError], [*RoleError], [*QuotaError], [*FeatureError],
// [*ValidationError], [*RateLimitError]), for [errors.As]; the sentinels, such
// as [ErrNotFound], are for [errors.Is]. What is not the caller's answers like
// what does not exist: [ErrNotFound]. A fault that can be seen before anything
// is sent is a [*ValidationError] without an [*Error] beneath.
//
// # Retries
//
// A call is repeated after a connection that failed or broke off, and after the
// statuses 429, 502, 503 and 504: three times by default ([WithMaxRetries]),
// with pauses drawn at random from up to 250 ms, doubling to 8 s. Retry-After
// is kept instead where it is at most a minute, and a pause never outlasts the
// context's deadline: beyond either the error is returned at once. Each attempt
// has its own timeout ([WithTimeout]). A budget shared by all calls of a client
// keeps an outage from being multiplied: once it is spent a call is one request.
//
// POST, PATCH, PUT and DELETE carry an Idempotency-Key that is the same for each
// attempt. POST and PATCH are repeated like the rest only at a server that has
// said that it honours the key, or where [WithIdempotentServer] says so; at
// any other, only after 429 and where nothing can have been delivered. An error
// whose outcome is not known says so, with the key to repeat the call with
// ([WithIdempotencyKey]).
//
// # Secrets
//
// Tokens and keys are of the type [Secret], which shows as [redacted] in every
// formatting verb, logger and encoder. Headers that authenticate never leave the
// origin that they were meant for.
package promptrails
