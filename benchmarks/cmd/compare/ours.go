package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/benchmarks/internal/documents"
)

const (
	credentialsPath = "/api/v1/credentials"
	changelogPath   = "/api/v1/changelog"
	pageSize        = 100
	credentialsPage = credentialsPath + "?limit=100"
	changelogPage   = changelogPath + "?limit=100&order=asc"
	ourName         = "promptrails"
)

// credentialPath is the path of one credential.
var credentialPath = credentialsPath + "/" + documents.ID(1)

// newOurs returns a client with its default transport.
func newOurs(url string) (*promptrails.Client, error) {
	return promptrails.NewClient(promptrails.WithBaseURL(url), promptrails.WithAccessToken("t"), promptrails.WithWorkspace("w"))
}

func getCredential(c *promptrails.Client) call {
	id := documents.ID(1)
	return func(ctx context.Context) error {
		got, err := c.Credentials.Get(ctx, id)
		if err == nil && got.ID != id {
			err = fmt.Errorf("got credential %q, want %q", got.ID, id)
		}
		return err
	}
}

func listCredentials(c *promptrails.Client) call {
	return func(ctx context.Context) error {
		got, err := c.Credentials.List(ctx, &promptrails.ListCredentialsParams{ListOptions: promptrails.ListOptions{Limit: pageSize}})
		if err != nil {
			return err
		}
		return checkCount(len(got.Items), pageSize)
	}
}

func listChangelog(c *promptrails.Client) call {
	return func(ctx context.Context) error {
		got, err := c.Changelog.List(ctx, oldestFirst(0))
		if err != nil {
			return err
		}
		return checkCount(len(got.Items), pageSize)
	}
}

// oldestFirst selects the entries up to a sequence, or all if it is 0.
func oldestFirst(to int) *promptrails.ListChangelogParams {
	return &promptrails.ListChangelogParams{ListOptions: promptrails.ListOptions{Limit: pageSize}, Order: promptrails.OrderAscending, SequenceTo: int64(to)}
}

func allEntries(ctx context.Context, c *promptrails.Client, to int, opts ...promptrails.RequestOption) iter.Seq2[*promptrails.ChangelogEntry, error] {
	return c.Changelog.All(ctx, oldestFirst(to), opts...)
}

// exhaust returns a call that iterates over a list of a known size.
func exhaust[T any](size int, list func(context.Context) iter.Seq2[*T, error]) call {
	return func(ctx context.Context) error {
		n := 0
		for _, err := range list(ctx) {
			if err != nil {
				return err
			}
			n++
		}
		return checkCount(n, size)
	}
}

// checkName returns an error if an object was not decoded.
func checkName(got, want string) error {
	if got != want {
		return fmt.Errorf("got an object with the name %q, want %q", got, want)
	}
	return nil
}

func checkCount(got, want int) error {
	if got != want {
		return fmt.Errorf("got %d items, want %d", got, want)
	}
	return nil
}

const ourKey = "pr_live_00000000000000000000000000000000000000000014OogJJ"

// refuseScope returns a call that is refused because of its scope.
func refuseScope() (call, error) {
	c, err := promptrails.NewClient(promptrails.WithBaseURL("https://api.example.com"), promptrails.WithAPIKey(ourKey), promptrails.WithScopes(promptrails.ScopeTracesRead))
	return func(ctx context.Context) error {
		if _, err := c.Members.Get(ctx, "m"); !errors.Is(err, promptrails.ErrForbidden) {
			return fmt.Errorf("a call without the scope: got error %w, want ErrForbidden", err)
		}
		return nil
	}, err
}

// keyVerifier accepts every key.
type keyVerifier struct{}

func (keyVerifier) VerifyKey(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
	return &promptrails.APIKey{ID: documents.ID(1), WorkspaceID: documents.Workspace, Scopes: promptrails.Scopes{promptrails.ScopeAgentsRead, promptrails.ScopeTracesRead}}, nil
}

// authenticateWarm returns a call that authenticates a cached key.
func authenticateWarm() (call, error) {
	a, err := promptrails.NewAuthenticator(nil, promptrails.WithAuthVerifier(keyVerifier{}), promptrails.WithAuthCacheTTL(time.Hour))
	use := promptrails.AuthRequest{IP: netip.MustParseAddr("203.0.113.9"), Scopes: []promptrails.Scope{promptrails.ScopeTracesRead}}
	return func(ctx context.Context) error {
		_, err := a.Authenticate(ctx, ourKey, use)
		return err
	}, err
}

// verified is the number of entries that verifyChain verifies.
const verified = 1000

// verifyChain returns a call that verifies decoded entries.
func verifyChain() (call, error) {
	chain, err := documents.Chain(verified)
	if err != nil {
		return nil, err
	}
	entries := make([]*promptrails.ChangelogEntry, len(chain))
	for i, document := range chain {
		if err := json.Unmarshal(document, &entries[i]); err != nil {
			return nil, err
		}
	}
	each := func(yield func(*promptrails.ChangelogEntry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
	return func(context.Context) error {
		_, err := promptrails.VerifyChangelog(each, nil)
		return err
	}, nil
}
