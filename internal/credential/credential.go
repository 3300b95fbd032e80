// Package credential knows the types of credentials: their categories, how a
// value is masked, and what its form tells about it.
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

// Category returns the category of a type, or "" for one that is not known.
func Category(kind string) string { return categoryOf[kind] }

const mostStars = 16

// Mask returns what may be shown of a value: at either end 4 characters or an
// eighth, whichever is less, and none of one under 12 characters.
func Mask(value string) string {
	text := []rune(value)
	shown := min(4, len(text)/8)
	if len(text) < 12 {
		shown = 0
	}
	stars := strings.Repeat("*", min(mostStars, len(text)-2*shown))
	return string(text[:shown]) + stars + string(text[len(text)-shown:])
}

// prefixes are how the keys of providers begin, where they say so.
var prefixes = map[string][]string{
	"openai": {"sk-"}, "openai_audio": {"sk-"}, "openai_image": {"sk-"}, "anthropic": {"sk-ant-"}, "openrouter": {"sk-or-"},
	"gemini": {"AIza", "AQ."}, "groq": {"gsk_"}, "xai": {"xai-"}, "perplexity": {"pplx-"}, "replicate": {"r8_"}, "fireworks": {"fw_"},
	"elevenlabs": {"sk_"}, "deepseek": {"sk-"}, "stability": {"sk-"},
}

// schemes are how the URLs of databases begin.
var schemes = map[string][]string{
	"postgresql": {"postgres", "postgresql"}, "redshift": {"postgres", "postgresql", "redshift"}, "mysql": {"mysql"},
	"mssql": {"sqlserver", "mssql"}, "clickhouse": {"clickhouse", "http", "https", "tcp"}, "snowflake": {"snowflake"},
	"databricks": {"databricks", "https"},
}

var keywordDSN = regexp.MustCompile(`^\s*[A-Za-z_]+\s*=`)

// Check says what the form of a value tells: valid is false where it cannot be
// right, and nil where only a call to the provider could tell. It never claims
// that a value is right, and its reason holds no part of it.
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
			return nil, "the connection string has the form of keywords; the database was not called"
		}
		return new(bool), "a connection string of " + kind + " begins with " + strings.Join(known, ":// or ") + "://"
	}
	return nil, "nothing is known about the form of " + kind + " credentials; the provider was not called"
}
