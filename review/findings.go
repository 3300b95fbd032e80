package review

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// Severity is the severity of a finding.
type Severity string

// The severities, in ascending order.
const (
	SeverityLow    Severity = "low"
	SeverityMedium Severity = "medium"
	SeverityHigh   Severity = "high"
)

// AtLeast reports whether s is at least as severe as t. A value other than the
// constants is less severe than SeverityLow.
func (s Severity) AtLeast(t Severity) bool { return s.rank() >= t.rank() }

func (s Severity) rank() int {
	return slices.Index([]Severity{SeverityLow, SeverityMedium, SeverityHigh}, s)
}

// Finding is a problem that a [Rule] has found in a workspace.
type Finding struct {
	Rule        string                  `json:"rule"` // the ID of the rule
	Severity    Severity                `json:"severity"`
	WorkspaceID string                  `json:"workspace_id"`
	Workspace   string                  `json:"workspace"` // the slug
	Object      promptrails.ResourceRef `json:"object"`
	Message     string                  `json:"message"` // the problem and its reason
	// Mend is the call that mends it, as Go source. The variables client and ctx
	// are a client and a context; other variables, such as expiry, are for the
	// reader to choose.
	Mend string `json:"mend"`
}

// orNone returns an iterator without findings in place of nil.
func orNone(findings iter.Seq[Finding]) iter.Seq[Finding] {
	if findings == nil {
		return func(func(Finding) bool) {}
	}
	return findings
}

// key identifies a finding in several reviews.
func (f *Finding) key() string {
	return strings.Join([]string{f.WorkspaceID, f.Rule, string(f.Object.Type), f.Object.ID}, "\x00")
}

// fingerprint identifies a finding in the formats of other tools. It must not
// change, because they compare it with that of earlier reviews.
func (f *Finding) fingerprint() string {
	return f.WorkspaceID + "/" + f.Rule + "/" + string(f.Object.Type) + "/" + f.Object.ID
}

// Check returns the findings of rules in w, most severe first. It makes no
// requests, so it can be used with a stored review. Fields of p that a review
// refuses have the default, as zero fields have.
func (w *Workspace) Check(rules []Rule, p Params) []Finding {
	p = p.complete()
	var found []Finding
	for _, rule := range rules {
		for _, f := range rule.Check(w, p) {
			f.Rule, f.WorkspaceID, f.Workspace = rule.ID, w.Info.ID, w.Info.Slug
			if f.Severity == "" {
				f.Severity = rule.Severity
			}
			found = append(found, f)
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return b.Severity.rank() - a.Severity.rank() })
	return found
}

// mend returns the source of a call of a client in the workspace.
func (w *Workspace) mend(format string, args ...any) string {
	return fmt.Sprintf("client.InWorkspace(%q).", w.Info.ID) + fmt.Sprintf(format, args...)
}
