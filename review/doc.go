// Package review reports who and what has access to workspaces, and what to do
// about it. It uses only the public client, and so works with any server.
//
// [Access] reads all workspaces that the caller can see: members, API keys,
// pending invitations, credentials and their use, notification channels, data
// masking and usage. [Each] does the same with constant memory, for many
// workspaces. Both only read.
//
// A [Rule] looks for one kind of problem in a [Workspace]. Each [Finding]
// explains a problem and has the call that mends it. Rules are values: append
// your own to [DefaultRules].
//
// A [Report] and a [Workspace] are stored as JSON with encoding/json. They
// contain no secrets: of a channel's URL only the scheme and host, and no part of
// the value of a credential. They do contain names and email addresses. [Diff]
// compares two reports, and [Forecast] estimates when limits will be reached.
// Other tools read findings as SARIF ([WriteSARIF]), OCSF ([WriteOCSF]) or CSV.
//
// The functions and methods that write a report or findings, such as [WriteSARIF],
// write a document without entries if they are given nil.
package review
