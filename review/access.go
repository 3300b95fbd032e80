package review

import (
	"cmp"
	"context"
	"iter"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The number of concurrent requests of a review.
const (
	defaultConcurrency = 4
	maxConcurrency     = 64
)

// Options configures a review. The zero Options read everything except the
// changelogs, and apply [DefaultRules].
type Options struct {
	// Concurrency is the maximum number of concurrent requests, and of
	// workspaces that are read ahead. The default is 4; the maximum is 64.
	Concurrency int
	Rules       []Rule // nil: DefaultRules
	Params      Params // of the rules
	// VerifyChangelog reads and verifies the whole changelog of each workspace,
	// or the part since the head in Heads.
	VerifyChangelog bool
	// Heads are the heads of earlier verifications by workspace id, as returned
	// by [Report.Heads]. A changelog that differs from its earlier head, because
	// entries were replaced or removed since, does not verify.
	Heads map[string]*promptrails.ChangelogHead
	// Progress is called after each workspace, from the goroutine of the caller.
	Progress func(Progress)
	// Now returns the time that ages are measured from. The default is time.Now.
	Now func() time.Time
}

// Progress is the state of a review that runs.
type Progress struct {
	Done      int        // number of workspaces that were read
	Total     int        // number of workspaces; 0 if the server does not report it
	Workspace *Workspace // the last one that was read
}

// Report is a review of all workspaces that the caller can see.
type Report struct {
	At         time.Time    `json:"at"` // when the review began
	Workspaces []*Workspace `json:"workspaces"`
}

// Access reviews all workspaces that the caller can see, newest first; for an
// API key, that is only its own workspace. A nil opts is the zero Options.
//
// It requires the workspaces:read scope. The sections of a workspace require
// further scopes, or the admin role: members:read, api_keys:read,
// credentials:read, notifications:read, masking:read, billing:read and, with
// VerifyChangelog, changelog:read. A section that cannot be read is reported in
// [Workspace.Gaps] and does not fail the review.
//
// The client retries requests that the server limits. If a limit persists, the
// review pauses all requests as long as the server demands. Access returns an
// error if the workspaces cannot be listed, if authentication fails
// ([promptrails.ErrUnauthorized]), or if ctx is done.
//
// Access holds all workspaces in memory; see [Each].
func Access(ctx context.Context, client *promptrails.Client, opts *Options) (*Report, error) {
	r, err := newReviewer(client, opts, accessSections)
	if err != nil {
		return nil, err
	}
	report := &Report{At: r.now(), Workspaces: []*Workspace{}}
	for w, err := range r.each(ctx) {
		if err != nil {
			return nil, err
		}
		report.Workspaces = append(report.Workspaces, w)
	}
	return report, nil
}

// Each returns an iterator over the reviews of all workspaces that the caller
// can see. It is like [Access], and requires the same scopes, but holds at most
// [Options.Concurrency] workspaces in memory. It yields an error as the last
// element. Each iteration is another review.
func Each(ctx context.Context, client *promptrails.Client, opts *Options) iter.Seq2[*Workspace, error] {
	r, err := newReviewer(client, opts, accessSections)
	if err != nil {
		return func(yield func(*Workspace, error) bool) { yield(nil, err) }
	}
	return r.each(ctx)
}

// all returns the workspaces that are not nil, of a report that may be nil.
func (r *Report) all() iter.Seq[*Workspace] {
	return func(yield func(*Workspace) bool) {
		for _, w := range cmp.Or(r, new(Report)).Workspaces {
			if w != nil && !yield(w) {
				return
			}
		}
	}
}

// Findings returns an iterator over the findings of all workspaces. The findings
// of a workspace are in order of severity, most severe first. A nil report
// has no findings.
func (r *Report) Findings() iter.Seq[Finding] {
	return func(yield func(Finding) bool) {
		for w := range r.all() {
			for _, f := range w.Findings {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// Heads returns the heads of the changelogs that were verified, by workspace id,
// for [Options.Heads] of the next review. A nil report has no heads.
func (r *Report) Heads() map[string]*promptrails.ChangelogHead {
	heads := map[string]*promptrails.ChangelogHead{}
	for w := range r.all() {
		if w.Changelog != nil && w.Changelog.Head != nil {
			heads[w.Info.ID] = w.Changelog.Head
		}
	}
	return heads
}
