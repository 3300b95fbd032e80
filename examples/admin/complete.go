package main

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The bounds of a completion, for which a person waits.
const (
	completionTime  = 3 * time.Second
	completionItems = 100
)

// suggestions are the values that the shell proposes, with descriptions.
type suggestions []cobra.Completion

// suggest returns the first items, each as a value and its description.
func suggest[T any](items iter.Seq2[*T, error], describe func(*T) (value, description string)) (found suggestions) {
	for item, err := range items {
		if err != nil || len(found) == completionItems {
			return found
		}
		value, description := describe(item)
		found = append(found, cobra.CompletionWithDesc(value, printable(description)))
	}
	return found
}

// complete returns a function that proposes values from the server. Without a
// server, there are no proposals.
func complete(a *app, connect func(context.Context) (*promptrails.Client, error), find func(context.Context, *promptrails.Client) suggestions) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if names := strings.Fields(cmd.Use)[1:]; len(args) >= max(1, len(names)) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if a.tokenFile == "-" || a.keyFile == "-" {
			return nil, cobra.ShellCompDirectiveNoFileComp // stdin is the terminal of the shell
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), completionTime)
		defer cancel()
		defer func() { _ = a.close() }()
		client, err := connect(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveError
		}
		return find(ctx, client), cobra.ShellCompDirectiveNoFileComp
	}
}

// objects sets the completion of the first argument of a command.
func (a *app) objects(cmd *cobra.Command, find func(context.Context, *promptrails.Client) suggestions) *cobra.Command {
	cmd.ValidArgsFunction = complete(a, a.in, find)
	return cmd
}

// choices sets the values that the shell proposes for a flag.
func choices[T ~string](cmd *cobra.Command, flag string, values ...T) {
	var words []cobra.Completion
	for _, value := range values {
		words = append(words, string(value))
	}
	must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)))
}
