// Changelogexport appends the changelog of a workspace to a file, for an archive
// or a SIEM. While reading, it verifies that no entry was altered or removed.
//
//	go run ./examples/changelogexport -format ocsf -out changelog.ocsf
//
// A state file next to the output stores the last verified entry. The next run
// continues from there, also after an interrupted export.
//
// It calls the API at PROMPTRAILS_API_URL with the key in PROMPTRAILS_API_KEY,
// which must have the scope changelog:read. If PROMPTRAILS_API_URL is not set,
// it runs an embedded workspace service, with a database next to the output.
// Each run makes a few changes to export.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// saveEvery is the number of entries between two saves of the state. After a
// crash, up to this many entries are exported again.
const saveEvery = 1000

func usage() {
	fmt.Fprint(flag.CommandLine.Output(), `Changelogexport appends the changelog of a workspace to a file, and verifies it. The
next run continues after the last entry, also if this one is interrupted.

Environment:
  PROMPTRAILS_API_URL  the API; if it is not set, a workspace service runs in the
                       program, with a database next to the output (-out, with the
                       suffix .demo.db), and each run makes a few changes
  PROMPTRAILS_API_KEY  a key with the scope changelog:read; required with
                       PROMPTRAILS_API_URL

Flags:
`)
	flag.PrintDefaults()
}

func main() {
	format := flag.String("format", "ndjson", "output format: ndjson, csv or ocsf")
	out := flag.String("out", "changelog.ndjson", "output file; an existing export is continued")
	flag.Usage = usage
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "unexpected argument %q\n", flag.Arg(0))
		usage()
		os.Exit(2)
	}
	if formats[*format] == nil {
		fmt.Fprintf(os.Stderr, "invalid -format %q: must be ndjson, csv or ocsf\n", *format)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	client, done, err := connect(ctx, *out+".demo.db")
	if err != nil {
		log.Fatal(plain(err)) //nolint:gocritic // exiting also restores the signal handler
	}
	n, err := export(ctx, client, *format, *out, progress(os.Stderr))
	done()
	fmt.Fprintf(os.Stderr, "%d entries\n", n)
	switch {
	case ctx.Err() != nil:
		log.Fatalf("interrupted: %v; the next run continues", context.Cause(ctx))
	case err != nil:
		log.Fatal(plain(err))
	}
}

// goOptions are the names of Go options in errors of the client. A person who
// runs this program can only set the variable next to them.
var goOptions = regexp.MustCompile(`With\w+, |; With\w+ allows it`)

func plain(err error) string { return goOptions.ReplaceAllString(err.Error(), "") }

// progress returns a function that creates a progress bar. The bar is hidden if
// to is not a terminal.
func progress(to *os.File) func(total int64) *progressbar.ProgressBar {
	return func(total int64) *progressbar.ProgressBar {
		return progressbar.NewOptions64(total, progressbar.OptionSetWriter(to), progressbar.OptionSetVisibility(term.IsTerminal(int(to.Fd()))),
			progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
	}
}

// export appends the new entries to the file out. It returns the number of
// entries written.
func export(ctx context.Context, client *promptrails.Client, format, out string, bar func(total int64) *progressbar.ProgressBar) (n int, err error) {
	newWriter, ok := formats[format]
	if !ok {
		return 0, fmt.Errorf("invalid -format %q: must be ndjson, csv or ocsf", format)
	}
	state, err := readState(out)
	if err != nil {
		return 0, err
	}
	if state.Format != "" && state.Format != format {
		return 0, fmt.Errorf("%s is an export in the format %s: use that format or another file", out, state.Format)
	}
	state.Format = format
	file, err := openAt(out, state.Size)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	head, err := client.Changelog.Head(ctx)
	if err != nil {
		return 0, err
	}
	if of := state.Head.WorkspaceID; of != "" && head.WorkspaceID != "" && of != head.WorkspaceID {
		return 0, fmt.Errorf("%s is an export of the workspace %s, and this is %s: use another output file", out, of, head.WorkspaceID)
	}
	shown := bar(head.Sequence - state.Head.Sequence)
	defer func() { _ = shown.Finish() }()
	e := &exporter{file: file, out: out, state: state, write: newWriter(file, state.Size == 0), shown: shown}
	params := &promptrails.ListChangelogParams{Order: promptrails.OrderAscending, SequenceFrom: state.Head.Sequence}
	var from *promptrails.ChangelogHead
	if state.Head.Sequence > 0 {
		from = new(state.Head)
	}
	_, verified := promptrails.VerifyChangelog(e.through(client.Changelog.All(ctx, params, promptrails.WithPrefetch(3))), from)
	return e.written, errors.Join(verified, e.err, e.save())
}

// exporter writes entries after they are verified.
type exporter struct {
	file    *os.File
	out     string
	state   *state
	write   writer
	shown   *progressbar.ProgressBar
	written int
	err     error
}

// through yields entries to VerifyChangelog and writes each one after it is
// verified: VerifyChangelog only asks for the next entry if the current one is
// valid.
func (e *exporter) through(entries iter.Seq2[*promptrails.ChangelogEntry, error]) iter.Seq2[*promptrails.ChangelogEntry, error] {
	return func(yield func(*promptrails.ChangelogEntry, error) bool) {
		for entry, err := range entries {
			if !yield(entry, err) || err != nil {
				return
			}
			if entry.Sequence == e.state.Head.Sequence {
				continue // written by an earlier run
			}
			if e.err = e.add(entry); e.err != nil {
				return
			}
		}
	}
}

// add writes an entry, and saves the state after every saveEvery entries.
func (e *exporter) add(entry *promptrails.ChangelogEntry) error {
	if err := e.write(entry); err != nil {
		return err
	}
	e.state.Head = promptrails.ChangelogHead{WorkspaceID: entry.WorkspaceID, Sequence: entry.Sequence, Hash: entry.Hash}
	e.written++
	_ = e.shown.Add(1)
	if e.written%saveEvery == 0 {
		return e.save()
	}
	return nil
}

// save syncs the output to disk, and then writes the state file. In this order
// the state never refers to entries that a crash could lose.
func (e *exporter) save() error {
	if err := e.file.Sync(); err != nil {
		return err
	}
	size, err := e.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	e.state.Size = size
	return e.state.save(e.out)
}

// connect returns a client of the API, or of an embedded service with the
// database file dsn if PROMPTRAILS_API_URL is not set.
func connect(ctx context.Context, dsn string) (client *promptrails.Client, done func(), err error) {
	if url := os.Getenv("PROMPTRAILS_API_URL"); url != "" {
		key := os.Getenv("PROMPTRAILS_API_KEY")
		if key == "" {
			return nil, nil, errors.New("PROMPTRAILS_API_KEY is not set: it must be an API key with the scope changelog:read")
		}
		client, err = promptrails.NewClient(promptrails.WithoutEnvironment(), promptrails.WithBaseURL(url), promptrails.WithAPIKey(key))
		return client, func() {}, err
	}
	service, err := embedded.Open(ctx, embedded.Config{DSN: dsn, DefaultPlan: promptrails.PlanEnterprise})
	if err != nil {
		return nil, nil, err
	}
	done = func() {
		if err := service.Close(); err != nil {
			log.Print(err)
		}
	}
	client, err = prepare(ctx, service)
	if err != nil {
		done()
	}
	return client, done, err
}

// prepare makes a few changes in a workspace, which the first run creates.
func prepare(ctx context.Context, service *embedded.Service) (*promptrails.Client, error) {
	token, err := tokenOf(ctx, service, "ada@example.com")
	if err != nil {
		return nil, err
	}
	ada, err := service.Client(promptrails.WithAccessToken(token.Reveal()))
	if err != nil {
		return nil, err
	}
	workspace, err := ada.Workspaces.Get(ctx, "research")
	if errors.Is(err, promptrails.ErrNotFound) {
		workspace, err = ada.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: "research"})
	}
	if err != nil {
		return nil, err
	}
	ada = ada.InWorkspace(workspace.ID)
	for _, name := range []string{"Scout", "Clerk"} {
		if _, err := ada.Resources.Create(ctx, promptrails.KindPrompts, map[string]any{"name": name}); err != nil {
			return nil, err
		}
	}
	return ada, nil
}

// tokenOf returns an access token of a user, whom the first run creates.
func tokenOf(ctx context.Context, service *embedded.Service, email string) (promptrails.Secret, error) {
	user, err := service.CreateUser(ctx, email, "Ada")
	if !errors.Is(err, promptrails.ErrConflict) {
		if err != nil {
			return promptrails.Secret{}, err
		}
		return user.AccessToken, nil
	}
	if user, err = service.UserByEmail(ctx, email); err != nil {
		return promptrails.Secret{}, err
	}
	token, err := service.IssueAccessToken(ctx, user.ID, time.Hour)
	if err != nil {
		return promptrails.Secret{}, err
	}
	return token.Token, nil
}
