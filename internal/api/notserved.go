package api

import (
	"net/http"
	"path"
	"strings"
)

// notServed lists the routes of the vendor's API that this service does not
// implement, since it is not connected to models, tools or a data warehouse.
// The paths are below Prefix and are patterns of [path.Match]. A pattern without
// a method also matches all paths below it. A pattern with a method matches only
// that method and path.
var notServed = []string{
	"media", "assets", "chat/sessions/*/messages", "chat/sessions/*/stream", "chat/completions", "chat/messages", "chat/send", "chat/stream",
	"agents/*/stream", "agents/*/chat", "agents/*/preview", "agents/*/run", "executions/*/stream", "executions/*/events",
	"prompts/*/run", "prompts/*/preview", "prompts/*/execute", "prompts/*/render", "prompts/*/test",
	"data-sources/*/query", "data-sources/*/test", "data-sources/*/execute", "data-sources/*/schema", "data-sources/*/preview",
	"mcp-tools/*/discover", "mcp-tools/*/call", "mcp-tools/*/execute", "mcp-tools/*/test", "mcp-tools/discover", "mcp-servers", "mcp",
	"templates", "mcp-templates", "agent-templates", "prompt-templates", "costs", "dashboard", "analytics", "llm-models", "models", "a2a", "vfs",
	"POST traces", "traces/ingest", "traces/batch", "traces/otlp", "otel", "v1/traces", "spans", "evaluations", "datasets",
	"webhooks", "hooks", "credentials/*/schema",
}

// isNotServed reports whether a request is for a route of the vendor's API that
// this service does not implement.
func isNotServed(r *http.Request) bool {
	below, ok := strings.CutPrefix(r.URL.Path, Prefix+"/")
	if !ok {
		return false
	}
	elements := strings.Split(strings.Trim(below, "/"), "/")
	for _, pattern := range notServed {
		method, of, limited := strings.Cut(pattern, " ")
		if limited && method != r.Method {
			continue
		} else if limited {
			pattern = of
		}
		n := strings.Count(pattern, "/") + 1
		if len(elements) < n || limited && len(elements) > n {
			continue
		}
		if matched, _ := path.Match(pattern, strings.Join(elements[:n], "/")); matched { // the patterns are valid
			return true
		}
	}
	return false
}
