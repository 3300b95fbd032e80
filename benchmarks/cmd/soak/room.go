package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The names of the objects that the load does not change.
const (
	owner       = "owner@example.com"
	mainChannel = "main"
)

// room is a workspace with a load.
type room struct {
	id     string
	hook   string              // the URL of the receiver
	client *promptrails.Client // of the owner, through the network
	direct *promptrails.Client // of the owner, without faults
	as     func(email string) (*promptrails.Client, error)
	main   *promptrails.Channel
	head   *promptrails.ChangelogHead // of the last check
	ledger *ledger
}

// newRoom creates a workspace with a channel for the notifications of its approvals.
func (s *soaker) newRoom(ctx context.Context, slug string) (*room, error) {
	r := &room{hook: s.receiver.server.URL, ledger: newLedger()}
	if err := s.connect(r); err != nil {
		return nil, err
	}
	workspace, err := r.direct.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Soak", Slug: slug})
	if err != nil {
		return nil, err
	}
	r.id = workspace.ID
	if err := s.connect(r); err != nil {
		return nil, err
	}
	transport := s.transport
	r.as = func(email string) (*promptrails.Client, error) { return s.clientOf(email, s.network.url(), transport) }
	if r.client, err = r.as(owner); err != nil {
		return nil, err
	}
	r.client = r.client.InWorkspace(r.id)
	r.main, err = r.direct.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{
		Name: mainChannel, Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret(r.hook + "/" + slug),
		Events: []promptrails.EventType{promptrails.EventExecutionAwaitingApproval},
	})
	if err != nil {
		return nil, err
	}
	s.receiver.expect("/"+slug, r.main.Secret)
	r.head, err = r.direct.Changelog.Head(ctx)
	return r, err
}

// connect sets the direct client, because the service has another address after a kill.
func (s *soaker) connect(r *room) error {
	c, err := promptrails.NewClient(promptrails.WithoutEnvironment(), promptrails.WithInsecureHTTP(), promptrails.WithBaseURL("http://"+s.service.Service),
		promptrails.WithHTTPClient(&http.Client{Transport: s.directTransport}), promptrails.WithAccessToken(userPrefix+owner))
	if err != nil {
		return err
	}
	r.direct = c.InWorkspace(r.id)
	return nil
}

// clientOf returns a client of a user. Its calls are counted.
func (s *soaker) clientOf(email, url string, transport http.RoundTripper) (*promptrails.Client, error) {
	return promptrails.NewClient(promptrails.WithoutEnvironment(), promptrails.WithInsecureHTTP(), promptrails.WithBaseURL(url),
		promptrails.WithHTTPClient(&http.Client{Transport: transport}), promptrails.WithTimeout(attemptTimeout),
		promptrails.WithAccessToken(userPrefix+email), promptrails.WithObserver(s.counts))
}

// check compares the workspace with its ledger. No change may be running.
func (s *soaker) check(ctx context.Context, r *room) (*verdict, error) {
	objects, entries := map[*kind][]found{}, map[entry]int{}
	for _, k := range s.kinds {
		for f, err := range k.list(ctx, r.direct) {
			if err != nil {
				return nil, fmt.Errorf("list of %s: %w", k.name, err)
			}
			objects[k] = append(objects[k], f)
		}
	}
	broken, err := r.read(ctx, entries)
	if err != nil {
		return nil, fmt.Errorf("changelog: %w", err)
	}
	v := r.ledger.check(objects, entries)
	if broken != nil {
		v.lost = append(v.lost, broken.Error())
	}
	for _, id := range s.receiver.unknown(r.id, objects[s.approvals]) {
		v.doubled = append(v.doubled, "a notification was sent for the approval "+id+", which does not exist")
	}
	return v, nil
}

// read verifies the changelog since the last check, and counts its entries. It returns
// how the chain is broken, if it is.
func (r *room) read(ctx context.Context, entries map[entry]int) (broken *promptrails.ChainError, err error) {
	all := r.direct.Changelog.All(ctx, &promptrails.ListChangelogParams{Order: promptrails.OrderAscending, SequenceFrom: r.head.Sequence})
	head, err := promptrails.VerifyChangelog(func(yield func(*promptrails.ChangelogEntry, error) bool) {
		for e, err := range all {
			if err == nil && e.Sequence > r.head.Sequence {
				entries[entry{e.Resource.Type, e.Resource.Name, e.Action}]++
			}
			if !yield(e, err) {
				return
			}
		}
	}, r.head)
	if broken, _ = errors.AsType[*promptrails.ChainError](err); broken != nil {
		head, err = r.direct.Changelog.Head(ctx)
	}
	if err == nil {
		r.head = head
	}
	return broken, err
}
