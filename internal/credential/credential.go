// Package credential defines the types and categories of credentials, masks
// values and checks their format.
package credential

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var categories = map[string][]string{
	"llm": {
		"openai", "anthropic", "gemini", "deepseek", "fireworks", "xai", "openrouter", "together_ai", "mistral", "cohere", "groq",
		"perplexity",
	},
	"speech":         {"elevenlabs", "deepgram", "openai_audio"},
	"image":          {"fal", "replicate", "stability", "openai_image"},
	"video":          {"runway", "pika", "luma"},
	"data_warehouse": {"postgresql", "mysql", "mssql", "snowflake", "bigquery", "redshift", "clickhouse", "databricks"},
}

var categoryOf = func() map[string]string {
	m := map[string]string{}
	for category, types := range categories {
		for _, t := range types {
			m[t] = category
		}
	}
	return m
}()

// Category returns the category of a type, or "" for an unknown type.
func Category(kind string) string { return categoryOf[kind] }

const maxStars = 16

// Mask returns a value with all but its first and last characters replaced by
// stars, 16 at most. At each end it shows 4 characters or an eighth of the value,
// whichever is less. It masks values of less than 12 characters completely.
func Mask(value string) string {
	text := []rune(value)
	shown := min(4, len(text)/8)
	if len(text) < 12 {
		shown = 0
	}
	stars := strings.Repeat("*", min(maxStars, len(text)-2*shown))
	return string(text[:shown]) + stars + string(text[len(text)-shown:])
}

// prefixes are the documented prefixes of the providers' keys.
var prefixes = map[string][]string{
	"openai": {"sk-"}, "openai_audio": {"sk-"}, "openai_image": {"sk-"}, "anthropic": {"sk-ant-"}, "openrouter": {"sk-or-"},
	"gemini": {"AIza", "AQ."}, "groq": {"gsk_"}, "xai": {"xai-"}, "perplexity": {"pplx-"}, "replicate": {"r8_"}, "fireworks": {"fw_"},
	"elevenlabs": {"sk_"}, "deepseek": {"sk-"}, "stability": {"sk-"},
}

// schemes are the URL schemes of the databases.
var schemes = map[string][]string{
	"postgresql": {"postgres", "postgresql"}, "redshift": {"postgres", "postgresql", "redshift"}, "mysql": {"mysql"},
	"mssql": {"sqlserver", "mssql"}, "clickhouse": {"clickhouse", "http", "https", "tcp"}, "snowflake": {"snowflake"},
	"databricks": {"databricks", "https"},
}

var keywordDSN = regexp.MustCompile(`^\s*[A-Za-z_]+\s*=`)

// Check checks the format of a value. It sets valid to false if the format is
// wrong, and to nil otherwise: only a call to the provider can show that a value
// is valid. The reason does not contain any part of the value.
func Check(kind, value string) (valid *bool, reason string) {
	if begins, ok := prefixes[kind]; ok {
		for _, prefix := range begins {
			if strings.HasPrefix(value, prefix) && len(value) > len(prefix) && !strings.ContainsAny(value, " \t\r\n") {
				return nil, "the form is right; whether " + kind + " accepts the key was not tried"
			}
		}
		return new(bool), "a key of " + kind + " begins with " + strings.Join(begins, " or ") + " and has no spaces"
	}
	if known, ok := schemes[kind]; ok {
		if u, err := url.Parse(value); err == nil && u.Host != "" {
			if slices.Contains(known, u.Scheme) {
				return nil, "the connection string is well formed; the database was not called"
			}
		}
		if keywordDSN.MatchString(value) || strings.Contains(value, "@tcp(") || strings.Contains(value, "@unix(") {
			return nil, "the connection string consists of keywords; the database was not called"
		}
		return new(bool), "a connection string of " + kind + " begins with " + strings.Join(known, ":// or ") + "://"
	}
	return nil, "the format of " + kind + " credentials is unknown; the provider was not called"
}
