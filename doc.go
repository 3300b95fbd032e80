// Package promptrails is a client for the PromptRails HTTP API. It administers
// workspaces: members, invitations, credentials, API keys, notifications, data
// masking, billing and the changelog. [Authenticator] protects other services
// with PromptRails API keys, and [ParseWebhook] parses the webhooks that a
// workspace sends.
//
// The package is a community project. It is not made by the vendor.
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
// Package embedded runs the workspace service inside a program, without a
// network. Package promptrailstest runs it inside a test.
//
// # Workspaces
//
// A workspace is the top-level container. Every object belongs to exactly one
// workspace, and an API key is bound to one. A person, who authenticates with
// an access token, can be a member of many workspaces and selects one with
// [WithWorkspace] or [Client.InWorkspace]. [ResourcesService] reads agents,
// prompts and other objects by their [ResourceKind].
//
// # Scopes
//
// An API key's [Scopes] determine what it can do. Each method's documentation
// names the scope it requires. If the key lacks the scope, the call returns a
// [*ScopeError]. With [WithScopes] or [WithScopeCheck], the client returns it
// without sending the request.
//
// # Errors
//
// A failed call returns an [*Error], or a more specific type that wraps one:
// [*ScopeError], [*RoleError], [*QuotaError], [*FeatureError],
// [*ValidationError] or [*RateLimitError]. Use [errors.As] for these types, and
// [errors.Is] for the sentinels, such as [ErrNotFound]. Objects in a workspace
// that the caller is not a member of return [ErrNotFound]. Invalid arguments
// return a [*ValidationError] that wraps no [*Error]; the request is not sent. An
// iterator can also yield the error of its context, or a [*ChainError].
//
// # Retries
//
// A call is retried if the response is missing or incomplete, and on statuses
// 408, 425, 429, 502, 503 and 504, and 409 idempotency_in_progress. It is retried
// once on a 401 with [WithAPIKeySource] or [WithAccessTokenSource]. It is not
// retried after an invalid certificate. The default is three retries
// ([WithMaxRetries]). The pause before a retry is random, up to a limit that
// starts at 250 ms and doubles to 8 s. A Retry-After of up to one minute
// replaces the pause; a random part of a quarter of it, at most 5 s, is added, or
// of 100 ms if that is longer. If Retry-After
// is longer, or if the pause would exceed the context's deadline, the error is
// returned immediately. Each attempt has its own timeout ([WithTimeout]). All
// calls of a client share a retry budget, which limits the load during an
// outage. When the budget is exhausted, calls are not retried.
//
// POST, PATCH, PUT and DELETE requests carry an Idempotency-Key, which is the
// same for every attempt. POST and PATCH are retried like other methods if the
// server has confirmed that it honours the key, or with [WithIdempotentServer].
// Otherwise they are retried only on 429, and if the request cannot have
// reached a server.
//
// # Outcomes
//
// A call succeeds only if the API confirms it. An HTML page with status 200 is
// an error. A 404 on the retry of a DELETE is a success only if the API reports
// that this object does not exist. If a failed call may have made the change,
// the error reports that the outcome is unknown. In that case, repeat the call
// with the same key ([WithIdempotencyKey]) if the server honours keys, and read
// the object otherwise.
//
// # Lists
//
// All yields every item of a list exactly once, or yields an error. It follows the
// server's cursors. Without cursors it reads pages by number until the list is
// known to be complete. If a page exceeds [WithMaxResponseSize], All requests
// it again with fewer items.
//
// # JSON
//
// The types of this package marshal to the JSON of the API. A zero time in a
// response type is null, and secrets are redacted. Other types, passed to [ResourcesService] and
// [Client.Do], are encoded by the rules of encoding/json.
//
// # Traces, metrics and logs
//
// [WithObserver] reports the start and the end of each call and attempt, and
// [WithLogger] logs them. A transport gets the operation of a request with
// [OperationFromContext]. [Authenticator.Stats] counts the uses of keys.
//
// # Secrets
//
// Tokens and keys have type [Secret], which formatting verbs, loggers and
// encoders print as [redacted]. Authentication headers are never sent to
// another origin.
package promptrails
