// Package embedded runs the workspace service inside your program, with real
// rules and real storage but without a network. It is for tests, examples and
// programs that manage their own workspaces. It is not made or run by the
// vendor of PromptRails.
//
//	service, err := embedded.Open(ctx, embedded.Config{})
//	owner, err := service.CreateUser(ctx, "ada@example.com", "Ada")
//	client, err := service.Client(promptrails.WithAccessToken(owner.AccessToken.Reveal()))
//
// # Served routes
//
// The OpenAPI document at /openapi.json lists the routes. They include the calls
// of the vendor's SDKs (JavaScript 0.2, the Go client of the API v2 line) and CLI
// that are about workspaces and their resources: agents, prompts and data sources
// with their versions, executions with approvals, traces, memories, guardrails,
// triggers, scores, chat sessions, MCP tools, apps and credentials.
//
// The service is not connected to a model, tool or data source. An execution returns
// a simulated output and never fails, triggers and MCP tools are stored only, and
// an invoice is paid when it is issued. Calls that require more return 404
// not_served: media, assets, chat messages and streams, running or previewing a
// prompt, querying or testing a data source, calling a tool, templates, costs,
// dashboards, models, A2A, VFS, and sending traces.
//
// GET /healthz responds while the process runs, and GET /readyz while the database
// can be read and written. Otherwise /readyz returns 503 with the reason.
//
// # Browsers
//
// A browser can call the service with an API key that has AllowedOrigins. The
// service responds to preflight requests for every path, without credentials.
// Config.CORSOrigins restricts the origins.
//
// # Data masking
//
// On the plans pro and enterprise, masking replaces personal data and secrets in
// the input of a model by placeholders such as [PII_EMAIL_1a2b3c4d], and restores
// them in its output. An execution has the original values. Its trace has the
// masked ones, and the number of masked values by detector.
//
// # Notifications
//
// A delivery that fails is repeated up to 7 times, after pauses from 5 seconds to
// 12 hours. A channel is paused, with an entry in the changelog, after three days
// without a successful delivery. Events are sent only for committed changes, and
// the queue survives restarts. The service never sends execution.failed and
// payment.failed.
package embedded
