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
//
// # Spans and metrics
//
// With Config.TracerProvider, each request is a span of OpenTelemetry, with the names
// and attributes of the semantic conventions of HTTP, for example
// GET /api/v1/members/{id}. Its parent is that in the traceparent of the request, or the
// current span of its context. Each of its transactions is a child, with the number of
// attempts and the time of the wait for the database, promptrails.transaction.wait in
// seconds. Further attributes of the span are promptrails.principal (user:ID or
// api_key:ID), promptrails.workspace.id, promptrails.error.code, promptrails.limit.name
// and http.response.header.x-request-id. Only a status of 500 or more is an error. The
// background work of the service makes no spans. The lines of the log have the context of
// the span.
//
// With Config.MeterProvider, the service makes these metrics:
//
//	name                             unit           attributes
//	http.server.request.duration     s              method, route, status, scheme, error.type
//	http.server.active_requests      {request}      method, scheme
//	promptrails.limit.refusals       {request}      promptrails.limit.name: requests, writers, response_bytes,
//	                                                request_time, rate (of Limits), or plan
//	promptrails.transaction.waiting  {transaction}  promptrails.transaction.mode: read or write
//	promptrails.transaction.wait     s              promptrails.transaction.mode: read or write
//	promptrails.commit.size          {write}        writes in a commit of SQLite, which waiting writes share
//	promptrails.delivery.duration    s              promptrails.delivery.outcome: delivered, failed, or retry if
//	                                                another attempt follows
//	promptrails.prune.rows           {row}          promptrails.prune.kind: outcomes, outcome_secrets, slugs,
//	                                                deliveries, channel_secrets
//	promptrails.database.size        By             in SQLite without the write-ahead log; in PostgreSQL the
//	                                                tables and indexes of the schema, with Citus those of the
//	                                                coordinator
//
// The durations and promptrails.commit.size are histograms. No span or metric has a
// secret, a body, a query, or a path other than the template. A client chooses the
// request id, and whether its trace is sampled, unless the sampler of the provider
// decides otherwise.
package embedded
