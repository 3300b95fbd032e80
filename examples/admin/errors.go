package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// usageError is an error in the arguments or settings.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// goOptions are the names of Go options in errors of the client. A person who
// runs this program can only set the variable next to them.
var goOptions = regexp.MustCompile(`With\w+, |; With\w+ allows it`)

// explain returns the text of an error for a person: the problem, and the next step.
func explain(ctx context.Context, cmd *cobra.Command, err error) string {
	text := strings.ReplaceAll(err.Error(), "promptrails: ", "")
	if e, ok := errors.AsType[*promptrails.Error](err); ok {
		text = strings.Replace(text, fmt.Sprintf("%s: %d %s: ", e.Operation, e.Status, e.Code), "", 1)
		text = strings.Replace(text, "; see details.fields", "", 1) // they follow
	}
	lines := strings.Split(goOptions.ReplaceAllString(text, ""), "\n") // of joined errors
	for i, line := range lines {
		lines[i] = printable(line)
	}
	text = strings.Join(lines, "\n")
	if ctx.Err() != nil { // the text has what remains after the interruption
		return "interrupted: " + strings.ReplaceAll(text, context.Canceled.Error(), context.Cause(ctx).Error())
	}
	if step := nextStep(cmd, err); step != "" {
		text += "\n" + step
	}
	return text
}

// steps are the next steps after errors that have a code.
var steps = map[promptrails.ErrorCode]string{
	promptrails.CodeInvalidAPIKey:     "Check the key: it may be of another server, or incomplete.",
	promptrails.CodeAPIKeyExpired:     "Use another key. admin keys create makes one.",
	promptrails.CodeAPIKeyRevoked:     "Use another key. admin keys create makes one.",
	promptrails.CodeUserTokenRequired: "Use an access token: --token-file or PROMPTRAILS_ACCESS_TOKEN.",
	promptrails.CodeInUse:             "admin credentials usage lists its uses. --force deletes it despite them.",
	promptrails.CodeSlugTaken:         "Choose another --slug.",
	promptrails.CodeAlreadyInvited:    "admin invitations resend sends the invitation again.",
	promptrails.CodeOverLimit:         "Remove what exceeds the plan, or choose a larger one. admin usage shows the limits.",
	promptrails.CodeInvitationExpired: "Ask an admin to resend the invitation.",
}

// nextStep returns what a person can do about an error, or "" if its text has it.
func nextStep(cmd *cobra.Command, err error) string {
	if scope, ok := errors.AsType[*promptrails.ScopeError](err); ok {
		return fmt.Sprintf("Use an API key with the scope %s, or an access token.", scope.Required)
	}
	if role, ok := errors.AsType[*promptrails.RoleError](err); ok {
		return fmt.Sprintf("Ask someone with the role %s to do it, or to change your role.", role.Required)
	}
	if _, ok := errors.AsType[*promptrails.QuotaError](err); ok {
		return "admin usage shows the limits of the plan."
	}
	if invalid, ok := errors.AsType[*promptrails.ValidationError](err); ok {
		return flagsOf(cmd, invalid)
	}
	if e, ok := errors.AsType[*promptrails.Error](err); ok && steps[e.Code] != "" {
		return steps[e.Code]
	}
	switch {
	case errors.Is(err, promptrails.ErrUnauthorized):
		return "Check the access token or API key: --token-file, --key-file, PROMPTRAILS_ACCESS_TOKEN or PROMPTRAILS_API_KEY."
	case errors.Is(err, promptrails.ErrNotFound):
		return "Check the id and the --workspace. The list commands show both."
	case errors.Is(err, promptrails.ErrUnavailable):
		return "Check that the server of --url (PROMPTRAILS_API_URL) is running and can be reached, and try again."
	default:
		return ""
	}
}

// flagsOf names the flags of a command that set invalid fields.
func flagsOf(cmd *cobra.Command, invalid *promptrails.ValidationError) string {
	var flags []string
	for _, field := range slices.Sorted(maps.Keys(invalid.Fields)) {
		name := strings.ReplaceAll(field, "_", "-")
		if cmd.Flags().Lookup(name) != nil {
			flags = append(flags, "--"+name)
		}
	}
	if len(flags) == 0 {
		return ""
	}
	return "Correct " + strings.Join(flags, " and ") + "; see " + cmd.CommandPath() + " --help."
}
