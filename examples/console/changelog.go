package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// verifyAtMost is the number of entries that a request verifies. The next one continues.
const verifyAtMost = 20_000

type changelogView struct {
	Filter    promptrails.ListChangelogParams
	Since     string
	Until     string
	Resources []promptrails.ResourceType
	Actions   []promptrails.ChangelogAction
	Actors    []promptrails.ActorType
	Filtered  bool
	Items     []*entry
	Pager     pager
	Verified  *verified // nil: not verified in this session
}

// verified is how far a changelog is verified in this session.
type verified struct {
	Head     promptrails.ChangelogHead // the last entry that was verified
	At       time.Time
	Complete bool   // up to the newest entry at that time
	Broken   string // why it does not verify; empty: it does
}

// entry is an entry of the changelog, as it is shown.
type entry struct {
	*promptrails.ChangelogEntry
	Fields   []fieldChange
	Verified bool
}

// fieldChange is a value before and after a change.
type fieldChange struct {
	Name, From, To string // From or To is empty if there is no value
}

var (
	actions       = []promptrails.ChangelogAction{promptrails.ActionCreated, promptrails.ActionUpdated, promptrails.ActionDeleted}
	actors        = []promptrails.ActorType{promptrails.ActorUser, promptrails.ActorAPIKey, promptrails.ActorSystem}
	resourceTypes = []promptrails.ResourceType{
		promptrails.ResourceWorkspace, promptrails.ResourceMember, promptrails.ResourceInvitation, promptrails.ResourceCredential, promptrails.ResourceAPIKey,
		promptrails.ResourceNotificationChannel, promptrails.ResourceDataMasking, promptrails.ResourceMaskingOverride, promptrails.ResourceSubscription, promptrails.ResourceBalance,
		promptrails.ResourceAgent, promptrails.ResourcePrompt, promptrails.ResourceDataSource, promptrails.ResourceMCPTool, promptrails.ResourceMemory, promptrails.ResourceGuardrail,
		promptrails.ResourceTrigger, promptrails.ResourceScore, promptrails.ResourceApproval, promptrails.ResourceApp, promptrails.ResourceChatSession,
	}
)

// changelog lists the changes that the filters select, newest first.
func (c *console) changelog(v *visit) error {
	query := v.URL.Query()
	view := &changelogView{Resources: resourceTypes, Actions: actions, Actors: actors, Since: query.Get("since"), Until: query.Get("until")}
	view.Filter = promptrails.ListChangelogParams{
		ListOptions: listOptions(v), ResourceType: promptrails.ResourceType(query.Get("resource_type")), ResourceID: query.Get("resource_id"),
		Action: promptrails.ChangelogAction(query.Get("action")), ActorType: promptrails.ActorType(query.Get("actor_type")), ActorID: query.Get("actor_id"),
	}
	view.Filter.Page = 0 // this list has cursors only
	var err error
	if view.Filter.Since, err = date(query, "since"); err != nil {
		return err
	}
	if view.Filter.Until, err = date(query, "until"); err != nil {
		return err
	}
	if !view.Filter.Until.IsZero() {
		view.Filter.Until = view.Filter.Until.AddDate(0, 0, 1) // the whole day
	}
	list, err := v.client.Changelog.List(v.Context(), &view.Filter)
	if err != nil {
		return err
	}
	view.Verified = c.heads.get(v.Context(), v.Workspace.ID)
	for _, e := range list.Items {
		view.Items = append(view.Items, newEntry(e, view.Verified))
	}
	for _, name := range []string{"resource_type", "resource_id", "action", "actor_type", "actor_id", "since", "until"} {
		view.Filtered = view.Filtered || query.Get(name) != ""
	}
	view.Pager = pages(v, v.path("changelog"), list)
	return v.render("changelog", "Changelog", view)
}

func newEntry(e *promptrails.ChangelogEntry, seen *verified) *entry {
	shown := &entry{ChangelogEntry: e}
	for name, change := range e.Changes.All() {
		if f := newFieldChange(name, change); f.From != f.To || f.IsSecret() {
			shown.Fields = append(shown.Fields, f)
		}
	}
	shown.Verified = seen != nil && seen.Broken == "" && e.Sequence <= seen.Head.Sequence && isIntact(e)
	return shown
}

func newFieldChange(name string, change promptrails.Change) fieldChange {
	from, to := readable(change.From), readable(change.To)
	if short, isMicros := strings.CutSuffix(name, "_micros"); isMicros {
		name, from, to = short, amount(from), amount(to)
	}
	return fieldChange{name, from, to}
}

// amount formats a text of millionths of a currency unit that is not known.
func amount(text string) string {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return text
	}
	return micros(n, "")
}

// isIntact reports whether an entry has the hash of its content. That it is in the chain is
// shown by the verification of all entries.
func isIntact(e *promptrails.ChangelogEntry) bool {
	before := &promptrails.ChangelogHead{WorkspaceID: e.WorkspaceID, Sequence: e.Sequence, Hash: e.Hash}
	_, err := promptrails.VerifyChangelog(one(e), before)
	return err == nil
}

func one(e *promptrails.ChangelogEntry) iter.Seq2[*promptrails.ChangelogEntry, error] {
	return func(yield func(*promptrails.ChangelogEntry, error) bool) { yield(e, nil) }
}

// readable returns a value for people: a text without quotes, a list with commas, and other
// JSON as it is.
func readable(value json.RawMessage) string {
	var text string
	var list []string
	switch {
	case len(value) == 0 || bytes.Equal(value, []byte("null")):
		return ""
	case json.Unmarshal(value, &text) == nil:
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return at.UTC().Format("2 Jan 2006, 15:04:05 UTC")
		}
		return text
	case json.Unmarshal(value, &list) == nil:
		return strings.Join(list, ", ")
	}
	return string(value)
}

// verifyChangelog verifies the hash chain from where the session has verified it to the
// newest entry, or the first part of that.
func (c *console) verifyChangelog(v *visit) (*next, error) {
	from := &promptrails.ChangelogHead{WorkspaceID: v.Workspace.ID}
	if seen := c.heads.get(v.Context(), v.Workspace.ID); seen != nil {
		from = &seen.Head
	}
	newest, err := v.client.Changelog.Head(v.Context())
	if err != nil {
		return nil, err
	}
	last := min(newest.Sequence, from.Sequence+verifyAtMost)
	entries := v.client.Changelog.All(v.Context(), &promptrails.ListChangelogParams{
		ListOptions: promptrails.ListOptions{Limit: 100}, Order: promptrails.OrderAscending, SequenceFrom: max(1, from.Sequence), SequenceTo: max(1, last),
	}, promptrails.WithPrefetch(4))
	head, err := promptrails.VerifyChangelog(entries, from)
	result := verified{Head: *from, At: c.now()} // if it does not verify, the next verification begins at the same entry
	switch broken, isBroken := errors.AsType[*promptrails.ChainError](err); {
	case isBroken:
		result.Broken = fmt.Sprintf("entry %d: %s", broken.Sequence, broken.Reason)
	case err != nil:
		return nil, err
	case head.Sequence == newest.Sequence && head.Hash != newest.Hash:
		result.Broken = "the newest entry differs from the head"
	case head.Sequence < last:
		result.Broken = fmt.Sprintf("entries after %d are missing", head.Sequence)
	default:
		result.Head, result.Complete = *head, head.Sequence == newest.Sequence
	}
	c.heads.put(v.Context(), v.Workspace.ID, result)
	message := flash{Message: fmt.Sprintf("Entries 1 to %d are verified.", result.Head.Sequence)}
	if result.Broken != "" {
		message = flash{Message: "The changelog does not verify.", Bad: true}
	}
	return &next{v.path("changelog"), message}, nil
}

// Newest returns the entry that the head names, for people who keep it.
func (v *verified) Newest() string { return fmt.Sprintf("%d %s", v.Head.Sequence, v.Head.Hash) }

// IsSecret reports whether a change is of a secret, which the changelog does not show.
func (f fieldChange) IsSecret() bool { return slices.Contains([]string{f.From, f.To}, "[redacted]") }
