package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// connection are the settings of the client.
type connection struct {
	url, tokenFile, keyFile, workspace, demo string
}

// api returns a client without a workspace.
func (a *app) api(ctx context.Context) (*promptrails.Client, error) {
	if a.isSample() {
		return a.sample(ctx)
	}
	if a.demo != "" {
		return nil, usagef("--demo has sample data: do not combine it with a server, a token or a key")
	}
	options := []promptrails.Option{promptrails.WithWorkspace(""), promptrails.WithUserAgent("promptrails-admin")}
	if a.url != "" {
		options = append(options, promptrails.WithBaseURL(a.url))
	}
	switch {
	case a.tokenFile != "" && a.keyFile != "":
		return nil, usagef("--token-file and --key-file: set one of them")
	case a.tokenFile != "":
		token, err := a.readSecret(a.tokenFile)
		if err != nil {
			return nil, err
		}
		options = append(options, promptrails.WithAccessToken(token.Reveal()))
	case a.keyFile != "":
		key, err := a.readSecret(a.keyFile)
		if err != nil {
			return nil, err
		}
		options = append(options, promptrails.WithAPIKey(key.Reveal()))
	case os.Getenv("PROMPTRAILS_ACCESS_TOKEN") == "" && os.Getenv("PROMPTRAILS_API_KEY") == "":
		return nil, usagef("no access token and no API key: set --token-file, --key-file, PROMPTRAILS_ACCESS_TOKEN or PROMPTRAILS_API_KEY")
	}
	client, err := promptrails.NewClient(options...)
	if err != nil {
		return nil, usageError{err}
	}
	return client, nil
}

// isSample reports whether neither a server nor a token or key is set.
func (a *app) isSample() bool {
	set := []string{a.url, a.tokenFile, a.keyFile, os.Getenv("PROMPTRAILS_API_URL"), os.Getenv("PROMPTRAILS_ACCESS_TOKEN"), os.Getenv("PROMPTRAILS_API_KEY")}
	return strings.Join(set, "") == ""
}

// hasKey reports whether the client uses an API key, which has a single workspace.
func (a *app) hasKey() bool {
	return a.keyFile != "" || a.tokenFile == "" && os.Getenv("PROMPTRAILS_API_KEY") != ""
}

// workspaceName returns the slug or id of --workspace, or "".
func (a *app) workspaceName() string {
	return cmp.Or(a.workspace, os.Getenv("PROMPTRAILS_WORKSPACE_ID"))
}

// in returns a client in the workspace of --workspace. A person with a single
// workspace need not name it.
func (a *app) in(ctx context.Context) (*promptrails.Client, error) {
	client, err := a.api(ctx)
	if err != nil || a.hasKey() && a.workspaceName() == "" {
		return client, err
	}
	workspace, err := a.target(ctx, client)
	if err != nil {
		return nil, err
	}
	return client.InWorkspace(workspace.ID), nil
}

// target returns the workspace of --workspace, or the only one.
func (a *app) target(ctx context.Context, client *promptrails.Client) (*promptrails.Workspace, error) {
	name := a.workspaceName()
	if name == "" && a.hasKey() {
		key, err := client.APIKeys.Current(ctx)
		if err != nil {
			return nil, err
		}
		name = key.WorkspaceID
	}
	if name != "" {
		workspace, err := client.Workspaces.Get(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("workspace %q: %w", name, err)
		}
		return workspace, nil
	}
	page, err := client.Workspaces.List(ctx, &promptrails.ListWorkspacesParams{ListOptions: promptrails.ListOptions{Limit: 10}})
	switch {
	case err != nil:
		return nil, err
	case len(page.Items) == 0:
		return nil, usagef("you are not a member of a workspace: create one with admin workspaces create")
	case len(page.Items) > 1:
		return nil, usagef("name the workspace with --workspace: %s", slugs(page))
	}
	return page.Items[0], nil
}

func slugs(page *promptrails.Page[promptrails.Workspace]) string {
	var names []string
	for _, w := range page.Items {
		names = append(names, w.Slug)
	}
	if page.Meta.Total > len(names) {
		names = append(names, "… (admin workspaces list has all)")
	}
	return strings.Join(names, ", ")
}

// close closes the service of the sample data.
func (a *app) close() error {
	if a.service == nil {
		return nil
	}
	service := a.service
	a.service = nil
	return service.Close()
}
