package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/review"
)

func (a *app) usage() *cobra.Command {
	return a.global("usage", "Show how much of each plan limit is used, and when it will be reached", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		if a.workspaceName() != "" {
			w, err := a.target(ctx, c)
			if err != nil {
				return err
			}
			return a.usageOf(ctx, c, w)
		}
		for w, err := range c.Workspaces.All(ctx, nil) {
			if err == nil {
				err = a.usageOf(ctx, c, w)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *app) usageOf(ctx context.Context, c *promptrails.Client, w *promptrails.Workspace) error {
	usage, err := c.InWorkspace(w.ID).Billing.Usage(ctx)
	if err != nil {
		return err
	}
	forecasts := (&review.Workspace{Info: *w, ReadAt: time.Now(), Usage: usage}).Forecast()
	if a.json {
		for _, f := range forecasts {
			if err := a.encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	_, _ = fmt.Fprintf(a.stdout, "%s (%s), plan %s, period until %s\n", printable(w.Name), printable(w.Slug), printable(string(w.Plan)), moment(usage.PeriodEnd))
	t := &table{out: a.stdout, colored: colored(a.stdout)}
	for _, f := range forecasts {
		amount, filled := fmt.Sprintf("%d", f.Used), cell{}
		if f.Max != nil {
			amount, filled = fmt.Sprintf("%d of %d", f.Used, *f.Max), bar(f.Used, *f.Max)
		}
		if !isTerminal(a.stdout) {
			filled = cell{}
		}
		t.row(cell{text: "  " + string(f.Limit)}, filled, cell{text: amount}, cell{text: reached(f)})
	}
	return t.flush()
}

func reached(f review.LimitForecast) string {
	switch {
	case f.Max == nil:
		return "unlimited"
	case f.Used >= *f.Max && f.Used > 0:
		return "reached"
	case f.ReachedAt.IsZero():
		return ""
	default:
		return "reached on about " + f.ReachedAt.UTC().Format(time.DateOnly)
	}
}

// bar returns a bar of 20 characters for the used part of a limit.
func bar(used, limit int64) cell {
	const width = 20
	share := 1.0
	if limit > 0 {
		share = min(1, float64(used)/float64(limit))
	}
	filled := int(share*width + 0.5)
	c := cell{strings.Repeat("█", filled) + strings.Repeat("░", width-filled), green}
	switch {
	case share >= 1:
		c.color = red
	case share > 0.8:
		c.color = yellow
	}
	return c
}
