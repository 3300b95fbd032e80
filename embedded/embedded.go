// Package embedded is the workspace service itself, inside your program: the
// real rules over real storage, with no network. It is for tests, examples and
// programs that keep workspaces of their own; it is not made or run by the
// vendor of PromptRails.
//
//	service, err := embedded.Open(ctx, embedded.Config{})
//	owner, err := service.CreateUser(ctx, "ada@example.com", "Ada")
//	client, err := service.Client(promptrails.WithAccessToken(owner.AccessToken.Reveal()))
package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/api"
	"github.com/promptrails-community/promptrails-go/internal/notify"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/seal"
	"github.com/promptrails-community/promptrails-go/internal/service"
	"github.com/promptrails-community/promptrails-go/internal/store"
)

// Config says where a service keeps its data and how it behaves. The zero
// Config keeps everything in memory.
type Config struct {
	// DSN is the name of a SQLite file, which is made if it does not exist, with
	// mode 0600. Several processes may open one file. Empty: in memory, gone with
	// Close.
	//
	// To back a file up, close the service and copy the file and its key file, or
	// take a snapshot of the file system with the file, its -wal and its -shm. A
	// copy of the file alone, made while the service runs, lacks what is in -wal.
	DSN string

	// MasterKey, 32 bytes, seals what is secret. Without one a database in
	// memory gets a random key, and a new file a key file next to it, with the
	// suffix .key and mode 0600: keep a copy of it apart from the database's,
	// since neither opens without the other. A key file that others can read is
	// refused, and so is one whose database is gone.
	MasterKey []byte
	// PreviousMasterKeys are all other keys that something may still be sealed
	// under; see [Service.Reseal].
	PreviousMasterKeys [][]byte

	// Logger gets what the caller of a failed request is not told, and each
	// request at the level debug. No secret is logged. Nil: nothing is logged.
	Logger *slog.Logger
	// Now is the clock: time.Now by default.
	Now func() time.Time
	// DefaultPlan is what workspaces start on: [promptrails.PlanFree] by
	// default, which has one seat.
	DefaultPlan promptrails.PlanID
	// TrustedProxies are the peers whose X-Forwarded-For is believed: its
	// rightmost hop that is not one of them is the caller's address.
	TrustedProxies []netip.Prefix

	// CORSOrigins are the origins whose pages may call the service from a browser,
	// such as https://app.example.com or https://*.example.com. Empty: all. What a
	// page may do depends on its key or token in any case; see the allowed_origins of
	// a key.
	CORSOrigins []string

	// AllowLoopbackWebhooks lets channels lead to this machine's loopback, by
	// http too: for tests. Without it a channel's URL is https and leads to a
	// public address, when it is saved and when it is dialled.
	AllowLoopbackWebhooks bool
	// WebhookResolver looks up the hosts of channels: the system's by default.
	WebhookResolver *net.Resolver

	// AuthenticateUser knows the people of your own identity provider by their
	// tokens. Return only an address that the provider has verified: it is the
	// person's identity, and who accepts invitations to it. The person is made
	// on first sight. It is not asked for tokens that begin with pat_ or pr_.
	// A token that is none is [promptrails.ErrUnauthorized]; any other error
	// is answered with 503. It may be called concurrently.
	AuthenticateUser func(ctx context.Context, token string) (email, name string, err error)
	// CheckCredential tries a credential when its check is asked for. Without
	// it a check looks at the form alone, which never shows that one is valid.
	// An error is answered with 503. It may be called concurrently.
	CheckCredential func(ctx context.Context, c *promptrails.Credential, value promptrails.Secret) (*promptrails.CredentialCheck, error)
}

// Service is a running workspace service, and an [http.Handler] that answers
// below /api/v1. It is safe for concurrent use.
type Service struct {
	service *service.Service
	handler http.Handler
}

// Open starts a service. It refuses a database that it cannot rely on and says
// why, having changed nothing: a file of another program, a newer schema, a
// master key that does not fit.
func Open(ctx context.Context, cfg Config) (*Service, error) {
	s, err := open(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("embedded: open: %w", publicError(err))
	}
	return s, nil
}

func open(ctx context.Context, cfg Config) (_ *Service, err error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	release, err := store.Lock(ctx, cfg.DSN)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, release()) }()
	isNew, err := store.IsNew(cfg.DSN)
	if err != nil && cfg.DSN != "" {
		return nil, err
	}
	master, key, err := cfg.masterKey()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, key.failed(), removeNew(cfg.DSN, isNew))
		}
	}()
	ring, err := seal.NewRing(master, cfg.PreviousMasterKeys...)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, cfg.DSN, func(proof []byte) error {
		return errors.Join(key.admit(proof), service.ProveKey(ring, proof))
	})
	if err != nil {
		return nil, err
	}
	s, err := service.New(ctx, service.Config{
		Store: db, Ring: ring, Now: cfg.Now, Logger: cfg.Logger,
		DefaultPlan: cfg.DefaultPlan, AuthenticateUser: cfg.AuthenticateUser, CheckCredential: cfg.CheckCredential,
		Guard: notify.Guard{AllowLoopback: cfg.AllowLoopbackWebhooks, Resolver: cfg.WebhookResolver},
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := key.opened(); err != nil {
		return nil, errors.Join(err, s.Close()) //nolint:contextcheck // what runs is waited for, whatever becomes of the context
	}
	handler := api.New(api.Config{Service: s, Logger: cfg.Logger, TrustedProxies: cfg.TrustedProxies, CORSOrigins: cfg.origins()})
	return &Service{service: s, handler: handler}, nil
}

// removeNew removes what was made of a new file that did not open.
func removeNew(file string, isNew bool) (err error) {
	if file == "" || !isNew {
		return nil
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if e := os.Remove(file + suffix); !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// complete fills in what is left out, and refuses what cannot be meant.
func (cfg *Config) complete() error {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.DefaultPlan == "" {
		cfg.DefaultPlan = promptrails.PlanFree
	}
	_, isPlan := policy.PlanByID(string(cfg.DefaultPlan))
	switch {
	case !isPlan:
		return fmt.Errorf("Config.DefaultPlan: there is no plan %q", cfg.DefaultPlan)
	case strings.Contains(cfg.DSN, "://"):
		return errors.New("Config.DSN: this version keeps its data in memory or in a SQLite file; give a file name")
	case strings.HasPrefix(cfg.DSN, ":") || strings.HasPrefix(cfg.DSN, "file:"):
		return errors.New("Config.DSN: give a plain file name, or nothing for a database in memory")
	}
	for _, origin := range cfg.CORSOrigins {
		if _, err := policy.ParseOrigin(origin); err != nil {
			return fmt.Errorf("Config.CORSOrigins: %q %w", origin, err)
		}
	}
	return nil
}

// origins returns CORSOrigins, which are valid.
func (cfg *Config) origins() (list []policy.Origin) {
	for _, text := range cfg.CORSOrigins {
		if origin, err := policy.ParseOrigin(text); err == nil {
			list = append(list, origin)
		}
	}
	return list
}

// Reseal moves everything that is sealed under a previous master key to the
// current one, while the service runs. It may be stopped at any moment, and run
// again. Once it has returned nil the previous keys can be destroyed; until
// then the service does not open without them. Opened without them, it refuses
// the idempotency keys that were used under them in the last 24 hours (409
// idempotency_key_reused): it cannot tell any more what they were used for.
//
// An error names each value that does not open; the others have moved.
func (s *Service) Reseal(ctx context.Context) error { return publicError(s.service.Reseal(ctx)) }

// ServeHTTP answers a request of the API.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Close ends the service and closes its database. It waits up to 30 seconds for
// requests that run; new ones get 503. A notification that is under way is sent
// again after the database is opened again.
func (s *Service) Close() error { return s.service.Close() }
