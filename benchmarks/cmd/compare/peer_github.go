package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-github/v89/github"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/documents"
)

// repository has some fields of a repository of GitHub.
type repository struct {
	ID            int64     `json:"id"`
	NodeID        string    `json:"node_id"`
	Name          string    `json:"name"`
	FullName      string    `json:"full_name"`
	Description   string    `json:"description"`
	HTMLURL       string    `json:"html_url"`
	DefaultBranch string    `json:"default_branch"`
	Language      string    `json:"language"`
	Visibility    string    `json:"visibility"`
	Private       bool      `json:"private"`
	Archived      bool      `json:"archived"`
	Size          int       `json:"size"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

func newRepository(n int) repository {
	return repository{
		ID: int64(1_296_269 + n), NodeID: documents.ID(n), Name: fmt.Sprint("hello-", n), FullName: fmt.Sprint("ada/hello-", n), Description: fmt.Sprintf("The repository %d of the team", n),
		HTMLURL: fmt.Sprint("https://github.com/ada/hello-", n), DefaultBranch: "main", Language: "Go", Visibility: "public", Size: n, CreatedAt: documents.Time(n), UpdatedAt: documents.Time(n),
	}
}

var githubPeer = peer{
	name: "go-github", module: "github.com/google/go-github/v89",
	one:  newDocument("/repos/ada/hello-1", newRepository(1)),
	many: newDocument("/orgs/ada/repos?per_page=100", hundred(newRepository)),
	connect: func(url string, c *http.Client) (get, list call, err error) {
		url += "/"
		client, err := github.NewClient(github.WithHTTPClient(c), github.WithAuthToken("t"), github.WithURLs(&url, nil))
		if err != nil {
			return nil, nil, err
		}
		get = func(ctx context.Context) error {
			got, _, err := client.Repositories.Get(ctx, "ada", "hello-1")
			if err != nil {
				return err
			}
			return checkName(got.GetName(), newRepository(1).Name)
		}
		options := &github.RepositoryListByOrgOptions{ListOptions: github.ListOptions{PerPage: pageSize}}
		list = func(ctx context.Context) error {
			got, _, err := client.Repositories.ListByOrg(ctx, "ada", options)
			if err != nil {
				return err
			}
			return checkCount(len(got), pageSize)
		}
		return get, list, nil
	},
}
