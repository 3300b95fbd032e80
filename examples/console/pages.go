package main

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	promptrails "github.com/promptrails-community/promptrails-go"
)

//go:embed templates
var templates embed.FS

// parsePages returns the template of each screen, by the name of its file. Each has the
// layout and the parts that screens share.
func parsePages() map[string]*template.Template {
	shared := template.Must(template.New("").Funcs(functions).ParseFS(templates, "templates/layout.html", "templates/parts.html"))
	files, err := fs.Glob(templates, "templates/*.html")
	if err != nil {
		panic(err)
	}
	all := map[string]*template.Template{}
	for _, file := range files {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name != "layout" && name != "parts" {
			all[name] = template.Must(template.Must(shared.Clone()).ParseFS(templates, file))
		}
	}
	return all
}

// functions are the functions of templates.
var functions = template.FuncMap{
	"field":    newField,
	"label":    func(name any) string { return label(fmt.Sprint(name)) },
	"title":    func(name any) string { return capital(label(fmt.Sprint(name))) },
	"when":     when,
	"day":      func(t time.Time) template.HTML { return timeElement(t, "2 Jan 2006") },
	"isodate":  isoDate,
	"count":    count,
	"micros":   micros,
	"percent":  func(share float64) string { return fmt.Sprintf("%.0f%%", 100*share) },
	"hundreds": func(share float64) int { return int(min(100, max(0, 100*share))) },
	"short":    short,
	"deref":    func(b *bool) bool { return *b },
}

// when returns a time of the day as an element for people and programs.
func when(t time.Time) template.HTML { return timeElement(t, "2 Jan 2006, 15:04 UTC") }

func timeElement(t time.Time, layout string) template.HTML {
	if t.IsZero() {
		return `<span class="muted">never</span>`
	}
	t = t.UTC()
	return template.HTML(fmt.Sprintf(`<time datetime="%s">%s</time>`, t.Format(time.RFC3339), t.Format(layout))) //nolint:gosec // digits and names of months
}

func isoDate(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(dateLayout)
}

// names are the names of values of the API that need more than spaces.
var names = map[string]string{
	string(promptrails.LimitMonthlyExecutions): "executions a month", string(promptrails.LimitTeamMembers): "members", string(promptrails.LimitActiveAgents): "active agents",
	"allowed_ips": "addresses", "allowed_origins": "origins", "expires_at": "expires", "confirm_slug": "slug of the workspace", "url": "URL", "ip": "IP",
	"access_token": "access token or API key", "api_key": "API key", "api_keys": "API keys", "mcp_tool": "MCP tool", "mcp_tools": "MCP tools", "llm": "language models", "sso": "single sign-on", "slack": "Slack",
	string(promptrails.DetectorEmail): "email address", string(promptrails.DetectorPhone): "phone number", string(promptrails.DetectorCreditCard): "credit card",
	string(promptrails.DetectorIBAN): "IBAN", string(promptrails.DetectorUSSSN): "US social security number", string(promptrails.DetectorTCKimlik): "Turkish identity number",
	string(promptrails.DetectorIPv4): "IPv4 address", string(promptrails.DetectorIPv6): "IPv6 address", string(promptrails.DetectorJWT): "JSON web token",
	string(promptrails.DetectorAWSAccessKey): "AWS access key", string(promptrails.DetectorPrivateKey): "private key",
}

// label returns the words for a value of the API, such as data_warehouse.
func label(name string) string {
	if text, ok := names[name]; ok {
		return text
	}
	return strings.NewReplacer("_", " ", ".", " ").Replace(name)
}

// capital returns a text with a capital letter at its beginning.
func capital(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// count formats an integer, or a pointer to one.
func count(n any) string {
	if p, ok := n.(*int64); ok {
		n = *p
	}
	return grouped(fmt.Sprint(n))
}

// grouped separates the thousands of a number.
func grouped(digits string) string {
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// micros formats millionths of a currency unit. An empty currency is left out.
func micros(amount int64, currency string) string {
	sign := ""
	if amount < 0 {
		sign, amount = "−", -amount
	}
	fraction := fmt.Sprintf("%06d", amount%1_000_000)
	if amount%10_000 == 0 { // whole cents
		fraction = fraction[:2]
	}
	return sign + strings.TrimLeft(currency+" ", " ") + grouped(fmt.Sprint(amount/1_000_000)) + "." + fraction
}

// short returns the beginning of a text.
func short(text string, limit int) string {
	if runes := []rune(text); len(runes) > limit {
		return string(runes[:limit]) + "…"
	}
	return text
}
