package main

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// app is one run of the program.
type app struct {
	stdin          io.Reader
	stdout, stderr *os.File
	pause          func(context.Context, time.Duration) error
	interrupted    <-chan struct{} // closed by Ctrl-C; nil: never
	stdinRead      bool

	connection
	json, dryRun, yes bool

	service *embedded.Service // of the sample data; nil for a server
}

// root returns the command that has all others.
func (a *app) root() *cobra.Command {
	root := group("admin", "Administer PromptRails workspaces",
		a.workspaces(), a.members(), a.invitations(), a.keys(), a.credentials(), a.channels(), a.masking(), a.changelog(), a.usage(), a.review())
	root.Long = `Admin administers PromptRails workspaces.

It calls the API of --url with an access token or an API key: from a file, or from the
environment variable. Without --url it runs a workspace service with sample data.

The exit code is 0 for success, 1 for a failure and 2 for invalid arguments. A review
has more: see admin review --help.`
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return checkFlags(cmd.Flags()) }
	flags := root.PersistentFlags()
	flags.StringVar(&a.url, "url", "", "the `URL` of the server (PROMPTRAILS_API_URL)")
	flags.StringVar(&a.tokenFile, "token-file", "", "a `file` with an access token, or - for stdin (PROMPTRAILS_ACCESS_TOKEN has the token itself)")
	flags.StringVar(&a.keyFile, "key-file", "", "a `file` with an API key, or - for stdin (PROMPTRAILS_API_KEY has the key itself)")
	flags.StringVarP(&a.workspace, "workspace", "w", "", "the slug or id of the `workspace` (PROMPTRAILS_WORKSPACE_ID)")
	flags.StringVar(&a.demo, "demo", "", "keep the sample data in this `file`, which is created; without --url")
	flags.BoolVar(&a.json, "json", false, "print a JSON object for each item, on a line of its own")
	flags.BoolVar(&a.dryRun, "dry-run", false, "print a change instead of making it")
	flags.BoolVarP(&a.yes, "yes", "y", false, "do not ask for confirmation")
	must(root.RegisterFlagCompletionFunc("workspace", complete(a, a.api, func(ctx context.Context, c *promptrails.Client) suggestions {
		return suggest(c.Workspaces.All(ctx, nil), func(w *promptrails.Workspace) (string, string) { return w.Slug, w.Name })
	})))
	return root
}

// group returns a command that only has other commands.
func group(name, short string, commands ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: name, Short: short, SuggestionsMinimumDistance: 2, Args: cobra.ArbitraryArgs}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		hint := ""
		if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
			hint = "; did you mean " + strings.Join(similar, " or ") + "?"
		}
		return usagef("%s has no command %q%s", cmd.CommandPath(), args[0], hint)
	}
	cmd.AddCommand(commands...)
	return cmd
}

// action is what a command does with a client and its arguments.
type action func(ctx context.Context, client *promptrails.Client, args []string) error

// command returns a command in a workspace. The words of use in capitals are its
// arguments: "revoke KEY" has one.
func (a *app) command(use, short string, do action) *cobra.Command {
	return command(use, short, a.in, do)
}

// global is like command, without a workspace.
func (a *app) global(use, short string, do action) *cobra.Command {
	return command(use, short, a.api, do)
}

func command(use, short string, connect func(context.Context) (*promptrails.Client, error), do action) *cobra.Command {
	return local(use, short, func(ctx context.Context, args []string) error {
		client, err := connect(ctx)
		if err != nil {
			return err
		}
		return do(ctx, client, args)
	})
}

// local is like command, without a client.
func local(usage, short string, do func(context.Context, []string) error) *cobra.Command {
	use, _, hasRest := strings.Cut(usage, " [--")
	names := strings.Fields(use)[1:]
	return &cobra.Command{
		Use: usage, Short: short,
		ValidArgsFunction: cobra.NoFileCompletions,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) < len(names):
				return usagef("%s requires %s; see %s --help", cmd.CommandPath(), strings.Join(names[len(args):], " and "), cmd.CommandPath())
			case len(args) > len(names) && (!hasRest || cmd.ArgsLenAtDash() != len(names)):
				return usagef("unexpected argument %q; see %s --help", args[len(names)], cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return do(cmd.Context(), args) },
	}
}

// require marks flags without which a command cannot run.
func require(cmd *cobra.Command, flags ...string) *cobra.Command {
	return validate(cmd, func() error {
		for _, name := range flags {
			if !cmd.Flags().Changed(name) {
				return usagef("%s requires --%s; see %s --help", cmd.CommandPath(), name, cmd.CommandPath())
			}
		}
		return nil
	})
}

// requireAny marks flags of which a command requires at least one.
func requireAny(cmd *cobra.Command, flags ...string) *cobra.Command {
	return validate(cmd, func() error {
		if !slices.ContainsFunc(flags, cmd.Flags().Changed) {
			return usagef("nothing to change: set a flag; see %s --help", cmd.CommandPath())
		}
		return nil
	})
}

// validate adds a check of the flags of a command, before it connects to a server.
func validate(cmd *cobra.Command, check func() error) *cobra.Command {
	arguments := cmd.Args
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := arguments(cmd, args); err != nil {
			return err
		}
		return check()
	}
	return cmd
}

// checkFlags refuses values that a script makes of an unset variable, which would
// mean something else: all keys for an empty --status, or stdout for an empty --out.
func checkFlags(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(f *pflag.Flag) {
		value, kind := f.Value.String(), f.Value.Type()
		switch d, _ := time.ParseDuration(value); {
		case err != nil || f.Annotations[emptyAllowed] != nil:
		case kind == "string" && value == "" || kind == "stringSlice" && value == "[]":
			err = usagef("--%s is empty: set it, or leave it out", f.Name)
		case kind == "duration" && d <= 0:
			err = usagef("--%s must be positive, not %s", f.Name, value)
		}
	})
	return err
}

// emptyAllowed is the annotation of flags that remove something if they are empty.
const emptyAllowed = "empty-allowed"

func allowEmpty(cmd *cobra.Command, flags ...string) {
	for _, name := range flags {
		must(cmd.Flags().SetAnnotation(name, emptyAllowed, []string{}))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
