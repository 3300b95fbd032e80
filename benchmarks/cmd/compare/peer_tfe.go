package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/go-tfe"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/documents"
)

// policySet has some fields of a policy set of HCP Terraform, as JSON:API.
type policySet struct {
	ID         string `json:"id"`
	Type       string `json:"type"`
	Attributes struct {
		Name              string    `json:"name"`
		Description       string    `json:"description"`
		Kind              string    `json:"kind"`
		Global            bool      `json:"global"`
		AgentEnabled      bool      `json:"agent-enabled"`
		PoliciesPath      string    `json:"policies-path"`
		PolicyToolVersion string    `json:"policy-tool-version"`
		PolicyCount       int       `json:"policy-count"`
		WorkspaceCount    int       `json:"workspace-count"`
		ProjectCount      int       `json:"project-count"`
		CreatedAt         time.Time `json:"created-at"`
		UpdatedAt         time.Time `json:"updated-at"`
	} `json:"attributes"`
}

func newPolicySet(n int) policySet {
	p := policySet{ID: "polset-" + documents.ID(n), Type: "policy-sets"}
	a := &p.Attributes
	a.Name, a.Description, a.Kind = fmt.Sprint("policies-", n), fmt.Sprintf("The policies %d of the team", n), "sentinel"
	a.PoliciesPath, a.PolicyToolVersion, a.PolicyCount, a.WorkspaceCount, a.ProjectCount = "/policies", "0.40.0", n, n+1, n+2
	a.CreatedAt, a.UpdatedAt = documents.Time(n).Truncate(time.Second), documents.Time(n).Truncate(time.Second)
	return p
}

type manyPolicySets struct {
	Data []policySet `json:"data"`
	Meta struct {
		Pagination struct {
			CurrentPage int `json:"current-page"`
			TotalPages  int `json:"total-pages"`
			TotalCount  int `json:"total-count"`
		} `json:"pagination"`
	} `json:"meta"`
}

func newPolicySets() manyPolicySets {
	m := manyPolicySets{Data: hundred(newPolicySet)}
	p := &m.Meta.Pagination
	p.CurrentPage, p.TotalPages, p.TotalCount = 1, 1, pageSize
	return m
}

var tfePeer = peer{
	name: "go-tfe", module: "github.com/hashicorp/go-tfe",
	one:  newDocument("/api/v2/policy-sets/"+newPolicySet(1).ID, envelope[policySet]{newPolicySet(1)}),
	many: newDocument("/api/v2/organizations/ada/policy-sets?page[size]=100", newPolicySets()),
	connect: func(url string, c *http.Client) (get, list call, err error) {
		client, err := tfe.NewClient(&tfe.Config{Address: url, Token: "t", HTTPClient: c})
		if err != nil {
			return nil, nil, err
		}
		want := newPolicySet(1)
		get = func(ctx context.Context) error {
			got, err := client.PolicySets.Read(ctx, want.ID)
			if err != nil {
				return err
			}
			return checkName(got.Name, want.Attributes.Name)
		}
		list = func(ctx context.Context) error {
			got, err := client.PolicySets.List(ctx, "ada", &tfe.PolicySetListOptions{ListOptions: tfe.ListOptions{PageSize: pageSize}})
			if err != nil {
				return err
			}
			return checkCount(len(got.Items), pageSize)
		}
		return get, list, nil
	},
}
