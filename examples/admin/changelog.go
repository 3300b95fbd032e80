package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/natefinch/atomic"
	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
)

var entryColumns = []column[promptrails.ChangelogEntry]{
	text("SEQUENCE", func(e *promptrails.ChangelogEntry) string { return strconv.FormatInt(e.Sequence, 10) }),
	text("TIME", func(e *promptrails.ChangelogEntry) string { return moment(e.OccurredAt) }),
	text("ACTOR", func(e *promptrails.ChangelogEntry) string { return string(e.Actor.Type) + " " + e.Actor.Name }),
	text("ACTION", func(e *promptrails.ChangelogEntry) string { return string(e.Action) }),
	text("RESOURCE", func(e *promptrails.ChangelogEntry) string { return string(e.Resource.Type) + " " + e.Resource.Name }),
	text("CHANGES", changes),
}

func changes(e *promptrails.ChangelogEntry) string {
	var fields []string
	for name, change := range e.Changes.All() {
		fields = append(fields, fmt.Sprintf("%s: %s → %s", name, change.From, change.To))
	}
	return strings.Join(fields, ", ")
}

func (a *app) changelog() *cobra.Command {
	return group("changelog", "List, follow, export and verify the changelog", a.listChangelog(), a.tailChangelog(), a.exportChangelog(), a.verifyChangelog())
}

func (a *app) listChangelog() *cobra.Command {
	params := &promptrails.ListChangelogParams{}
	var since time.Duration
	var limit int
	cmd := a.command("list", "List entries, newest first", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		if since > 0 {
			params.Since = time.Now().Add(-since)
		}
		return list(a, first(limit, c.Changelog.All(ctx, params)), entryColumns)
	})
	flags := cmd.Flags()
	flags.DurationVar(&since, "since", 0, "only the entries of this last `duration`, such as 24h")
	flags.StringVar((*string)(&params.Action), "action", "", "only this `action`: created, updated or deleted")
	flags.StringVar((*string)(&params.ResourceType), "resource-type", "", "only resources of this `type`, such as api_key")
	flags.StringVar(&params.ResourceID, "resource-id", "", "only the resource with this `id`")
	flags.StringVar((*string)(&params.ActorType), "actor-type", "", "only actors of this `type`: user, api_key or system")
	flags.StringVar(&params.ActorID, "actor-id", "", "only the actor with this `id`")
	flags.IntVar(&limit, "limit", 100, "at most this `number` of entries; 0 is all")
	choices(cmd, "action", promptrails.ActionCreated, promptrails.ActionUpdated, promptrails.ActionDeleted)
	choices(cmd, "actor-type", promptrails.ActorUser, promptrails.ActorAPIKey, promptrails.ActorSystem)
	return cmd
}

// first yields the first n items, or all if n is 0.
func first[T any](n int, items iter.Seq2[*T, error]) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		done := 0
		for item, err := range items {
			if !yield(item, err) {
				return
			}
			if done++; done == n {
				return
			}
		}
	}
}

func (a *app) tailChangelog() *cobra.Command {
	params := &promptrails.TailParams{}
	var cmd *cobra.Command
	cmd = a.command("tail", "Print new entries until Ctrl-C", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		if !cmd.Flags().Changed("after") {
			head, err := c.Changelog.Head(ctx)
			if err != nil {
				return err
			}
			params.After = head.Sequence
		}
		t := &table{out: a.stdout, colored: colored(a.stdout)}
		if !a.json {
			t.row(titles(entryColumns)...)
		}
		for entry, err := range c.Changelog.Tail(ctx, params) {
			switch {
			case ctx.Err() != nil:
				return nil
			case err == nil && a.json:
				err = a.encode(entry)
			case err == nil:
				t.row(cells(entry, entryColumns)...)
				err = t.flush()
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	cmd.Flags().Int64Var(&params.After, "after", 0, "print the entries after this `sequence` first; the default is the last one")
	cmd.Flags().DurationVar(&params.Interval, "interval", 5*time.Second, "request new entries at this `interval`")
	return cmd
}

func (a *app) exportChangelog() *cobra.Command {
	var headFile, format string
	cmd := a.command("export", "Print all entries, oldest first, and verify them", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		if format == "csv" {
			return a.verify(ctx, c, headFile, csvWriter(a.stdout))
		}
		return a.verify(ctx, c, headFile, func(e *promptrails.ChangelogEntry) error { return a.encode(e) })
	})
	cmd.Flags().StringVar(&format, "format", "ndjson", "the `format`: ndjson or csv")
	cmd.Flags().StringVar(&headFile, "head", "", "continue after the entry in this `file`, and store the last one in it")
	choices(cmd, "format", "ndjson", "csv")
	return validate(cmd, func() error {
		if format != "ndjson" && format != "csv" {
			return usagef("--format must be ndjson or csv, not %q", format)
		}
		return nil
	})
}

// csvWriter writes entries as CSV, with a header before the first one. A cell that a
// spreadsheet would run as a formula has an apostrophe before it.
func csvWriter(w io.Writer) func(*promptrails.ChangelogEntry) error {
	c := csv.NewWriter(w)
	started := false
	return func(e *promptrails.ChangelogEntry) error {
		var err error
		if !started {
			started, err = true, c.Write(strings.Split("sequence,occurred_at,actor_type,actor_id,actor_name,action,resource_type,resource_id,resource_name,changes,ip,request_id,hash", ","))
		}
		changes, failed := json.Marshal(e.Changes)
		row := []string{
			strconv.FormatInt(e.Sequence, 10), e.OccurredAt.Format(time.RFC3339Nano), string(e.Actor.Type), e.Actor.ID, e.Actor.Name, string(e.Action),
			string(e.Resource.Type), e.Resource.ID, e.Resource.Name, string(changes), e.IP, e.RequestID, e.Hash,
		}
		for i, value := range row {
			if strings.ContainsAny(value[:min(1, len(value))], "=+-@\t\r") {
				row[i] = "'" + value
			}
		}
		err = errors.Join(err, failed, c.Write(row))
		c.Flush()
		return errors.Join(err, c.Error())
	}
}

func (a *app) verifyChangelog() *cobra.Command {
	var headFile string
	cmd := a.command("verify", "Verify that no entry was changed or removed", func(ctx context.Context, c *promptrails.Client, _ []string) error {
		return a.verify(ctx, c, headFile, func(*promptrails.ChangelogEntry) error { return nil })
	})
	cmd.Flags().StringVar(&headFile, "head", "", "verify the entries after that in this `file`, and store the last one in it; also finds that entries at the end were removed")
	return cmd
}

// verify verifies the entries after the one in headFile. It calls use for each of them
// after it is verified, and then stores the last one.
func (a *app) verify(ctx context.Context, c *promptrails.Client, headFile string, use func(*promptrails.ChangelogEntry) error) error {
	from, err := readHead(headFile)
	if err != nil {
		return err
	}
	params := &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}
	if from != nil {
		params.SequenceFrom = from.Sequence
	}
	v := &verified{use: use, from: from}
	head, err := promptrails.VerifyChangelog(v.entries(c.Changelog.All(ctx, params, promptrails.WithPrefetch(3))), from)
	if err = errors.Join(err, v.err); err != nil {
		return err
	}
	if headFile != "" {
		if err := writeHead(headFile, head); err != nil {
			return err
		}
	}
	_, _ = fmt.Fprintf(a.stderr, "verified %d entries, up to sequence %d\n", v.count, head.Sequence)
	return nil
}

// verified passes entries to use when VerifyChangelog requests the next one, which it
// does only if the entry is valid.
type verified struct {
	use   func(*promptrails.ChangelogEntry) error
	from  *promptrails.ChangelogHead
	count int
	err   error
}

func (v *verified) entries(all iter.Seq2[*promptrails.ChangelogEntry, error]) iter.Seq2[*promptrails.ChangelogEntry, error] {
	return func(yield func(*promptrails.ChangelogEntry, error) bool) {
		for entry, err := range all {
			if !yield(entry, err) || err != nil {
				return
			}
			if v.from != nil && entry.Sequence == v.from.Sequence {
				continue // of the earlier run
			}
			if v.err = v.use(entry); v.err != nil {
				return
			}
			v.count++
		}
	}
}

// readHead returns the entry in a file, or nil if there is no file.
func readHead(name string) (*promptrails.ChangelogHead, error) {
	if name == "" {
		return nil, nil //nolint:nilnil // there is no head
	}
	content, err := os.ReadFile(name) //nolint:gosec // the file named by the user
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // there is no head yet
	}
	if err != nil {
		return nil, err
	}
	head := new(promptrails.ChangelogHead)
	err = json.Unmarshal(content, head)
	if err == nil && head.Hash == "" && head.WorkspaceID == "" {
		err = errors.New("it has neither a hash nor a workspace")
	}
	if err != nil {
		return nil, fmt.Errorf("%s is not a file of an earlier run: %w", name, err)
	}
	return head, nil
}

func writeHead(name string, head *promptrails.ChangelogHead) error {
	content, err := json.Marshal(head)
	if err != nil {
		return err
	}
	return atomic.WriteFile(name, bytes.NewReader(append(content, '\n')))
}
