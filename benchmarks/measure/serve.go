package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/benchmarks/internal/process"
	"github.com/promptrails-community/promptrails-go/embedded"
	"github.com/promptrails-community/promptrails-go/internal/apikey"
)

// The roles of a child process.
const (
	roleService = "service" // the workspace service
	roleBare    = "bare"    // a handler that writes constants
	roleCold    = "cold"    // see playCold
)

// play runs a child process.
func play(ctx context.Context, role string) error {
	switch role {
	case roleService:
		return playService(ctx, os.Getenv(dsnVariable))
	case roleBare:
		return playBare(ctx)
	case roleCold:
		return playCold(ctx)
	default:
		return fmt.Errorf("%s: unknown role", roleVariable)
	}
}

// playService serves a new workspace in a database.
func playService(ctx context.Context, dsn string) (err error) {
	service, err := embedded.Open(ctx, config(dsn))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	t, err := furnish(ctx, service)
	if err != nil {
		return err
	}
	return serve(ctx, service, t)
}

// config returns the configuration of a service. The master key is fixed, so that a
// later run can open the same database.
func config(dsn string) embedded.Config {
	return embedded.Config{DSN: dsn, MasterKey: bytes.Repeat([]byte{7}, 32), DefaultPlan: promptrails.PlanEnterprise}
}

// serve serves t until the parent process closes the input.
func serve(ctx context.Context, handler http.Handler, t *target) error {
	return process.Serve(ctx, handler, func(address string) any {
		t.Address = address
		return t
	})
}

// furnish creates a workspace with rows for each operation. Its names are random, so
// that an earlier run may have used the same database.
func furnish(ctx context.Context, service *embedded.Service) (*target, error) {
	user, err := service.CreateUser(ctx, rand.Text()+"@example.com", "Ada")
	if err != nil {
		return nil, err
	}
	ada, err := service.Client(promptrails.WithAccessToken(user.AccessToken.Reveal()))
	if err != nil {
		return nil, err
	}
	measured, err := newRoom(ctx, ada)
	if err != nil {
		return nil, err
	}
	agent, err := measured.Resources.Create(ctx, promptrails.KindAgents, map[string]any{"name": "Scout"})
	if err != nil {
		return nil, err
	}
	forFloor, err := newRoom(ctx, ada)
	if err != nil {
		return nil, err
	}
	hash := apikey.Hash(forFloor.key)
	body, err := json.Marshal(map[string]string{"name": "c", "type": "openai", "value": "sk-value-0123456789"})
	if err != nil {
		return nil, err
	}
	return &target{
		Header: "X-API-Key: " + measured.key,
		Requests: map[operation]request{
			get:       {Path: "/api/v1/credentials/" + measured.credential},
			list:      {Path: "/api/v1/credentials?limit=20"},
			changelog: {Path: "/api/v1/changelog?limit=20"},
			post:      {Path: "/api/v1/credentials", Body: string(body)},
			execute:   {Path: "/api/v1/agents/" + agent.ID + "/execute", Body: `{"input":{"question":"How many workspaces are there?"}}`},
		},
		Floor: &floorRows{Workspace: forFloor.id, KeyHash: hex.EncodeToString(hash[:]), Credential: forFloor.credential},
	}, nil
}

// room is a workspace with 100 credentials and an API key.
type room struct {
	*promptrails.Client // of the owner

	id, credential, key string
}

func newRoom(ctx context.Context, owner *promptrails.Client) (*room, error) {
	slug := "measure-" + strings.ToLower(rand.Text())
	workspace, err := owner.Workspaces.Create(ctx, &promptrails.CreateWorkspaceParams{Name: "Research", Slug: slug})
	if err != nil {
		return nil, err
	}
	r := &room{Client: owner.InWorkspace(workspace.ID), id: workspace.ID}
	for i := range 100 {
		made, err := r.Credentials.Create(ctx, &promptrails.CreateCredentialParams{
			Name: fmt.Sprint("c", i), Type: "openai", Value: promptrails.NewSecret("sk-value-0123456789"),
		})
		if err != nil {
			return nil, err
		}
		r.credential = made.ID
	}
	scopes := promptrails.Scopes{
		promptrails.ScopeCredentialsRead, promptrails.ScopeCredentialsWrite, promptrails.ScopeChangelogRead, promptrails.ScopeAgentsExecute,
	}
	key, err := r.APIKeys.Create(ctx, &promptrails.CreateAPIKeyParams{Name: "k", Scopes: scopes})
	if err != nil {
		return nil, err
	}
	r.key = key.Key.Reveal()
	return r, nil
}

// maxBody is the maximum size of a body that the bare handler writes.
const maxBody = 1 << 20

// playBare serves bodies of a constant. The path is the size.
func playBare(ctx context.Context) error {
	body := bytes.Repeat([]byte("x"), maxBody)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil || size < 0 || size > maxBody {
			http.Error(w, "the path is not a size", http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body[:size]) // the client reports the error
	})
	return serve(ctx, handler, &target{})
}
