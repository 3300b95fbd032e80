package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/review"
)

// access is a run of the review command.
type access struct {
	app    *app
	opts   review.Options
	format string
	failOn string
	full   bool // also print who and what has access

	found   map[review.Severity]int
	read    int
	missing int
}

// writer writes workspaces in a format.
type writer func(iter.Seq2[*review.Workspace, error]) error

// severities are the severities from the most severe one on.
var severities = []review.Severity{review.SeverityHigh, review.SeverityMedium, review.SeverityLow}

const never = "never"

func (a *app) review() *cobra.Command {
	r := &access{app: a, found: map[review.Severity]int{}}
	formats := map[string]writer{"table": r.table, "json": r.json, "csv": r.csv, "sarif": r.sarif, "ocsf": r.ocsf}
	cmd := a.global("review", "Find problems with access in all your workspaces", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		return r.run(ctx, c, formats[r.format])
	})
	validate(cmd, func() error {
		if a.json && !cmd.Flags().Changed("format") {
			r.format = "json"
		}
		switch {
		case a.json && r.format != "json":
			return usagef("--json and --format %s: set one of them", r.format)
		case r.full && r.format != "table" && r.format != "csv":
			return usagef("--access is for --format table and csv, not %s", r.format)
		case formats[r.format] == nil:
			return usagef("--format must be table, json, csv, sarif or ocsf, not %q", r.format)
		case r.failOn != never && !review.Severity(r.failOn).AtLeast(review.SeverityLow):
			return usagef("--fail-on must be low, medium, high or never, not %q", r.failOn)
		case a.workspace != "":
			return usagef("admin review reads all workspaces: do not set --workspace")
		}
		return nil
	})
	cmd.Long = `Review reads all workspaces that you can see, and reports problems: keys that can do
everything or never expire, keys of people who left, inactive admins, paused channels,
limits that are nearly reached, and others; admin review rules lists them. It changes
nothing.

The exit code, for cron:
  0  no finding has the severity of --fail-on
  1  the review has failed
  2  invalid arguments
  3  there are such findings
  4  there are no such findings, but a part of a workspace could not be read`
	cmd.Example = "  admin review --format json > review.json\n  admin review --fail-on medium || mail -s 'Access review' security@example.com"
	flags := cmd.Flags()
	flags.StringVar(&r.format, "format", "table", "the `format`: table, json, csv, sarif or ocsf")
	flags.StringVar(&r.failOn, "fail-on", string(review.SeverityHigh), "exit with 3 if there is a finding of this `severity`: low, medium, high or never")
	flags.BoolVar(&r.full, "access", false, "also print who and what has access, in a table")
	flags.BoolVar(&r.opts.VerifyChangelog, "verify-changelog", false, "verify the changelog of each workspace")
	flags.IntVar(&r.opts.Concurrency, "concurrency", 0, "the `number` of concurrent requests, 1 to 64; the default is 4")
	flags.DurationVar(&r.opts.Params.KeyUnused, "key-unused", 0, "a key is unused after this `duration`; the default is 2160h")
	flags.DurationVar(&r.opts.Params.KeyExpires, "key-expires", 0, "a key expires soon if it does so within this `duration`; the default is 336h")
	flags.DurationVar(&r.opts.Params.AdminInactive, "admin-inactive", 0, "an admin is inactive after this `duration`; the default is 2160h")
	flags.Float64Var(&r.opts.Params.LimitShare, "limit-share", 0, "report limits of which more than this `share` is used; the default is 0.8")
	choices(cmd, "format", "table", "json", "csv", "sarif", "ocsf")
	choices(cmd, "fail-on", "low", "medium", "high", never)
	cmd.AddCommand(a.reviewRules(), a.reviewDiff(), a.reviewForecast())
	return cmd
}

func (r *access) run(ctx context.Context, c *promptrails.Client, write writer) error {
	bar := progressbar.NewOptions64(-1, progressbar.OptionSetWriter(r.app.stderr), progressbar.OptionSetVisibility(isTerminal(r.app.stderr)),
		progressbar.OptionSetDescription("workspaces"), progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(true),
		progressbar.OptionSetSpinnerChangeInterval(0)) // without the goroutine of a spinner, which races with this one
	r.opts.Progress = func(p review.Progress) {
		if p.Done == 1 && p.Total > 0 {
			bar.ChangeMax(p.Total)
		}
		_ = bar.Add(1)
	}
	workspaces := func(yield func(*review.Workspace, error) bool) {
		for w, err := range review.Each(ctx, c, &r.opts) {
			if err == nil {
				r.count(w)
				_ = bar.Clear() // the next lines are printed in its place
			}
			if !yield(w, err) {
				return
			}
		}
	}
	err := write(workspaces)
	_ = bar.Finish()
	if err != nil {
		return err
	}
	if r.read == 0 {
		return errors.New("the access token or API key sees no workspace, so nothing was reviewed. admin workspaces list shows those that it sees")
	}
	for _, severity := range severities {
		if r.failOn != never && r.found[severity] > 0 && severity.AtLeast(review.Severity(r.failOn)) {
			return exit{exitFindings}
		}
	}
	if r.missing > 0 {
		return exit{exitIncomplete}
	}
	return nil
}

func (r *access) count(w *review.Workspace) {
	r.read++
	r.missing += len(w.Gaps)
	for _, f := range w.Findings {
		r.found[f.Severity]++
	}
}

// table prints the findings of each workspace that has any, and a summary.
func (r *access) table(workspaces iter.Seq2[*review.Workspace, error]) error {
	p := &paper{out: r.app.stdout, colored: colored(r.app.stdout), width: width(r.app.stdout)}
	for w, err := range workspaces {
		if err != nil {
			return err
		}
		if r.full {
			err = errors.Join(w.WriteTable(r.app.stdout), p.line(""))
		} else if len(w.Findings)+len(w.Gaps) > 0 {
			err = p.workspace(w)
		}
		if err != nil {
			return err
		}
	}
	var counts []string
	for _, severity := range severities {
		counts = append(counts, paint(p.colored && r.found[severity] > 0, severityColors[severity], fmt.Sprintf("%d %s", r.found[severity], severity)))
	}
	summary := fmt.Sprintf("%s: %s", plural(r.read, "workspace"), strings.Join(counts, ", "))
	if r.missing > 0 {
		summary += fmt.Sprintf("; %s could not be read", plural(r.missing, "part"))
	}
	return p.line(summary)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// json prints a [review.Report] without holding it in memory.
func (r *access) json(workspaces iter.Seq2[*review.Workspace, error]) error {
	at, err := json.Marshal(time.Now())
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(r.app.stdout, `{"at":%s,"workspaces":[`, at); err != nil {
		return err
	}
	separator := "\n"
	for w, err := range workspaces {
		if err != nil {
			return err
		}
		content, err := json.Marshal(w)
		if err == nil {
			_, err = io.WriteString(r.app.stdout, separator+string(content))
		}
		if err != nil {
			return err
		}
		separator = ",\n"
	}
	_, err = io.WriteString(r.app.stdout, "\n]}\n")
	return err
}

func (r *access) csv(workspaces iter.Seq2[*review.Workspace, error]) error {
	if r.full {
		return review.WriteAccessCSV(r.app.stdout, workspaces)
	}
	return r.findings(workspaces, review.WriteFindingsCSV)
}

func (r *access) sarif(workspaces iter.Seq2[*review.Workspace, error]) error {
	return r.findings(workspaces, func(w io.Writer, found iter.Seq[review.Finding]) error {
		return review.WriteSARIF(w, found, review.DefaultRules())
	})
}

func (r *access) ocsf(workspaces iter.Seq2[*review.Workspace, error]) error {
	return r.findings(workspaces, func(w io.Writer, found iter.Seq[review.Finding]) error {
		return review.WriteOCSF(w, found, review.DefaultRules(), time.Now())
	})
}

// findings calls write with the findings of workspaces. After an error of the review it writes
// no further text, so that the document is not complete. These formats have no place for
// the parts that could not be read, which are printed on stderr.
func (r *access) findings(workspaces iter.Seq2[*review.Workspace, error], write func(io.Writer, iter.Seq[review.Finding]) error) error {
	out := &document{out: r.app.stdout}
	err := write(out, func(yield func(review.Finding) bool) {
		for w, err := range workspaces {
			if out.failed = err; err != nil {
				return
			}
			for _, g := range w.Gaps {
				_, _ = fmt.Fprintln(r.app.stderr, printable(fmt.Sprintf("not read: %s of %s: %s", g.Section, w.Info.Slug, reason(g))))
			}
			for _, f := range w.Findings {
				if !yield(f) {
					return
				}
			}
		}
	})
	if out.failed != nil {
		return out.failed
	}
	return err
}

// document is a writer that fails after the review has.
type document struct {
	out    io.Writer
	failed error
}

func (d *document) Write(text []byte) (int, error) {
	if d.failed != nil {
		return 0, d.failed
	}
	return d.out.Write(text)
}

func (a *app) reviewRules() *cobra.Command {
	return local("rules", "List the problems that a review looks for", func(context.Context, []string) error {
		rules := review.DefaultRules()
		slices.SortStableFunc(rules, func(a, b review.Rule) int {
			return slices.Index(severities, a.Severity) - slices.Index(severities, b.Severity)
		})
		t := &table{out: a.stdout, colored: colored(a.stdout)}
		for _, rule := range rules {
			if a.json {
				if err := a.encode(map[string]string{"severity": string(rule.Severity), "id": rule.ID, "title": rule.Title}); err != nil {
					return err
				}
				continue
			}
			t.row(cell{string(rule.Severity), severityColors[rule.Severity]}, cell{text: rule.ID}, cell{text: rule.Title})
		}
		return t.flush()
	})
}

func (a *app) reviewDiff() *cobra.Command {
	cmd := local("diff BEFORE AFTER", "Show what changed between two files of admin review --format json", func(_ context.Context, files []string) error {
		before, err := readReport(files[0])
		if err != nil {
			return err
		}
		after, err := readReport(files[1])
		if err != nil {
			return err
		}
		changes := review.Diff(before, after)
		if a.json {
			return a.encode(changes)
		}
		return changes.WriteTable(a.stdout)
	})
	cmd.ValidArgsFunction = nil // files
	return cmd
}

func readReport(name string) (*review.Report, error) {
	file, err := os.Open(name) //nolint:gosec // the file named by the user
	if err != nil {
		return nil, err
	}
	defer file.Close()
	report := new(review.Report)
	decoder := json.NewDecoder(file)
	if err := decoder.Decode(report); err != nil {
		return nil, fmt.Errorf("%s is not a complete review: %w", name, err)
	}
	if report.At.IsZero() || decoder.More() {
		return nil, fmt.Errorf("%s is not the output of admin review --format json", name)
	}
	return report, nil
}

func (a *app) reviewForecast() *cobra.Command {
	return a.global("forecast", "Estimate when the limits of all workspaces will be reached, soonest first", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		forecasts, failed := review.Forecast(ctx, c)
		if a.json {
			for _, f := range forecasts {
				if err := a.encode(f); err != nil {
					return err
				}
			}
			return failed
		}
		return errors.Join(review.WriteForecasts(a.stdout, forecasts), failed)
	})
}
