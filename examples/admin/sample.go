package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// The sample data belongs to this person, and began this long ago.
const (
	sampleOwner = "ada@example.com"
	sampleAge   = 120 * 24 * time.Hour
)

// sample opens a workspace service with sample data, and returns a client of its owner.
func (a *app) sample(ctx context.Context) (*promptrails.Client, error) {
	var ago atomic.Int64 // subtracted from the time, for the clock of the service
	service, err := embedded.Open(ctx, embedded.Config{
		DSN: a.demo, DefaultPlan: promptrails.PlanStarter, Now: func() time.Time { return time.Now().Add(-time.Duration(ago.Load())) },
	})
	if err != nil {
		return nil, err
	}
	a.service = service
	user, err := service.UserByEmail(ctx, sampleOwner)
	if errors.Is(err, promptrails.ErrNotFound) {
		if a.demo == "" {
			_, _ = fmt.Fprintln(a.stderr, "No server, token or key is set: this is sample data, in memory. --demo FILE keeps it.")
		}
		user, err = populate(ctx, service, &ago)
	}
	if err != nil {
		return nil, err
	}
	token, err := service.IssueAccessToken(ctx, user.ID, time.Hour)
	if err != nil {
		return nil, err
	}
	return service.Client(promptrails.WithAccessToken(token.Token.Reveal()))
}

// populate creates the workspaces research and support, with problems for a review.
func populate(ctx context.Context, service *embedded.Service, ago *atomic.Int64) (*embedded.User, error) {
	ago.Store(int64(sampleAge))
	defer ago.Store(0)
	owner, err := service.CreateUser(ctx, sampleOwner, "Ada")
	if err != nil {
		return nil, err
	}
	ada, err := service.Client(promptrails.WithAccessToken(owner.AccessToken.Reveal()))
	if err != nil {
		return nil, err
	}
	s := &sampler{ctx: ctx, service: service, ada: ada}
	s.workspace("Support", "support", promptrails.PlanFree)
	s.agents(2)
	s.credential("Support model", "openai", true)
	s.workspace("Research", "research", promptrails.PlanStarter)
	s.agents(3)
	s.member("grace@example.com", "Grace", promptrails.RoleAdmin)
	s.member("linus@example.com", "Linus", promptrails.RoleUser)
	s.key("Deployment", 365*24*time.Hour, promptrails.ScopeAll)
	s.key("Dashboard", 0, promptrails.ScopeBillingRead)
	ago.Store(0)
	s.key("Worker", 90*24*time.Hour, promptrails.ScopeAgentsRead, promptrails.ScopeCredentialsRead)
	s.key("Night job", 10*24*time.Hour, promptrails.ScopeChangelogRead)
	s.credential("Model", "anthropic", false)
	s.credential("Warehouse", "postgresql", true)
	s.invite("hopper@example.com", promptrails.RoleUser)
	return owner, s.err
}

// sampler creates sample data. After the first error it does no more.
type sampler struct {
	ctx     context.Context //nolint:containedctx // of populate
	service *embedded.Service
	ada, in *promptrails.Client // in is Ada in the last workspace
	err     error
}

func (s *sampler) do(f func() error) {
	if s.err == nil {
		s.err = f()
	}
}

func (s *sampler) workspace(name, slug string, plan promptrails.PlanID) {
	s.do(func() error {
		w, err := s.ada.Workspaces.Create(s.ctx, &promptrails.CreateWorkspaceParams{Name: name, Slug: slug})
		if err != nil {
			return err
		}
		s.in = s.ada.InWorkspace(w.ID)
		_, err = s.in.Billing.ChangePlan(s.ctx, plan)
		return err
	})
}

func (s *sampler) agents(n int) {
	for i := range n {
		s.do(func() error {
			_, err := s.in.Resources.Create(s.ctx, promptrails.KindAgents, map[string]any{"name": fmt.Sprintf("Agent %d", i+1)})
			return err
		})
	}
}

func (s *sampler) invite(email string, role promptrails.Role) (invitation *promptrails.Invitation) {
	s.do(func() (err error) {
		invitation, err = s.in.Invitations.Create(s.ctx, &promptrails.CreateInvitationParams{Email: email, Role: role})
		return err
	})
	return invitation
}

func (s *sampler) member(email, name string, role promptrails.Role) {
	invitation := s.invite(email, role)
	s.do(func() error {
		user, err := s.service.CreateUser(s.ctx, email, name)
		if err != nil {
			return err
		}
		client, err := s.service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
		if err != nil {
			return err
		}
		_, err = client.Invitations.Accept(s.ctx, invitation.Token)
		return err
	})
}

func (s *sampler) key(name string, validFor time.Duration, scopes ...promptrails.Scope) {
	s.do(func() error {
		params := &promptrails.CreateAPIKeyParams{Name: name, Scopes: scopes}
		if validFor > 0 {
			params.ExpiresAt = time.Now().Add(validFor)
		}
		_, err := s.in.APIKeys.Create(s.ctx, params)
		return err
	})
}

func (s *sampler) credential(name string, kind promptrails.CredentialType, isDefault bool) {
	s.do(func() error {
		_, err := s.in.Credentials.Create(s.ctx, &promptrails.CreateCredentialParams{
			Name: name, Type: kind, Value: promptrails.NewSecret("the-value-of-" + name), IsDefault: isDefault,
		})
		return err
	})
}
