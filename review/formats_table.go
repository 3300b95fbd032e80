package review

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// table writes aligned columns for people. Errors are returned by close.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer) table { return table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)} }

// row writes cells, without control characters: names are chosen by others, and
// must not reach a terminal as its commands.
func (t table) row(cells ...string) {
	for i, cell := range cells {
		cells[i] = escape(cell)
	}
	_, _ = fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t")) // a tabwriter writes on Flush
}

// escape escapes what is not graphic. A backslash remains, so that a name that a message
// quotes is not escaped twice.
func escape(cell string) string {
	var b strings.Builder
	for i, r := range cell {
		if _, n := utf8.DecodeRuneInString(cell[i:]); n == 1 && r == utf8.RuneError || !strconv.IsGraphic(r) {
			quoted := strconv.QuoteToGraphic(cell[i : i+n])
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// heading ends a block of columns.
func (t table) heading(text string) {
	t.row(text)
	_ = t.Flush() // the last Flush returns the same error
}

const noWorkspaces = "No workspaces were reviewed.\n"

// WriteTable writes the review as tables for people: for each workspace its
// findings, its gaps, and who and what has access. Without workspaces, it writes a
// sentence.
func (r *Report) WriteTable(w io.Writer) error {
	between := ""
	for workspace := range r.all() {
		if _, err := io.WriteString(w, between); err != nil {
			return err
		}
		if err := workspace.WriteTable(w); err != nil {
			return err
		}
		between = "\n"
	}
	if between == "" {
		_, err := io.WriteString(w, noWorkspaces)
		return err
	}
	return nil
}

// WriteTable writes the review of one workspace as [Report.WriteTable] does.
func (w *Workspace) WriteTable(out io.Writer) error {
	if w == nil {
		_, err := io.WriteString(out, noWorkspaces)
		return err
	}
	t := newTable(out)
	t.heading(fmt.Sprintf("%s (%s), plan %s", w.Info.Name, w.Info.Slug, w.Info.Plan))
	for _, f := range w.Findings {
		t.row("  "+string(f.Severity), f.Rule, f.Message)
		t.row("", "", f.Mend)
	}
	for _, g := range w.Gaps {
		t.row("  not read", string(g.Section), g.Message)
	}
	_ = t.Flush()
	for _, m := range w.Members {
		t.row("  member", m.Email, string(m.Role), "active "+since(m.LastActiveAt))
	}
	for _, i := range w.Invitations {
		t.row("  invitation", i.Email, string(i.Role), "expires "+date(i.ExpiresAt))
	}
	for _, k := range w.APIKeys {
		t.row("  key", k.Name, k.Scopes.String(), "used "+since(k.LastUsedAt), "expires "+since(k.ExpiresAt), "by "+w.makerName(k), restrictions(k))
	}
	for _, c := range w.Credentials {
		use := "use unknown"
		if usage, known := w.CredentialUsage[c.ID]; known {
			use = fmt.Sprintf("used by %d", len(usage))
		}
		t.row("  credential", c.Name, string(c.Type), use)
	}
	for _, c := range w.Channels {
		state := "active"
		if !c.IsActive {
			state = "paused"
		}
		t.row("  channel", c.Name, c.URL, state)
	}
	if w.Usage != nil {
		for _, l := range w.Usage.Limits {
			t.row("  limit", string(l.Key), strconv.FormatInt(l.Used, 10)+" of "+maximum(l.Max))
		}
	}
	return t.Flush()
}

// makerName returns the address of the member who created a key.
func (w *Workspace) makerName(k *promptrails.APIKey) string {
	switch maker, known := w.Maker(k); {
	case maker != nil:
		return maker.Email
	case known:
		return k.CreatedBy + ", who left"
	default:
		return cmp.Or(k.CreatedBy, "unknown")
	}
}

func restrictions(k *promptrails.APIKey) string {
	return strings.Join(append(append([]string{}, k.AllowedIPs...), k.AllowedOrigins...), " ")
}

func since(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return date(t)
}

func maximum(n *int64) string {
	if n == nil {
		return "unlimited"
	}
	return strconv.FormatInt(*n, 10)
}

// WriteTable writes the changes as tables for people.
func (c *Changes) WriteTable(w io.Writer) error {
	c = cmp.Or(c, new(Changes))
	t := newTable(w)
	t.heading(fmt.Sprintf("Changes from %s to %s", reviewed(c.Before), reviewed(c.After)))
	if len(c.Changes)+len(c.Found)+len(c.Resolved) == 0 {
		t.row("  no changes")
	}
	for _, change := range c.Changes {
		t.row("  "+string(change.Kind), change.Workspace, string(change.Object.Type), change.Object.Name, change.describe())
	}
	for _, f := range c.Found {
		t.row("  found", f.Workspace, string(f.Object.Type), f.Object.Name, f.Rule)
	}
	for _, f := range c.Resolved {
		t.row("  resolved", f.Workspace, string(f.Object.Type), f.Object.Name, f.Rule)
	}
	for _, s := range c.Skipped {
		t.row("  skipped", s.Workspace, string(s.Section))
	}
	return t.Flush()
}

// reviewed returns the date of a review.
func reviewed(at time.Time) string {
	if at.IsZero() {
		return "no review"
	}
	return date(at)
}

func (c *Change) describe() string {
	var fields []string
	for _, f := range c.Fields {
		fields = append(fields, fmt.Sprintf("%s: %s → %s", f.Field, orNull(f.From), orNull(f.To)))
	}
	return strings.Join(fields, ", ")
}

func orNull(value []byte) string {
	if value == nil {
		return "null"
	}
	return string(value)
}

// WriteForecasts writes forecasts as a table for people.
func WriteForecasts(w io.Writer, forecasts []LimitForecast) error {
	if len(forecasts) == 0 {
		_, err := io.WriteString(w, "No limits were read.\n")
		return err
	}
	t := newTable(w)
	t.row("WORKSPACE", "LIMIT", "USED", "PER DAY", "REACHED")
	for _, f := range forecasts {
		t.row(f.Workspace, string(f.Limit), fmt.Sprintf("%d of %s", f.Used, maximum(f.Max)), fmt.Sprintf("%.2f", f.PerDay), since(f.ReachedAt))
	}
	return t.Flush()
}
