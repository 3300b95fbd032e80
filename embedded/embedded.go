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

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/api"
	"github.com/promptrails-community/promptrails-go/internal/notify"
	"github.com/promptrails-community/promptrails-go/internal/policy"
	"github.com/promptrails-community/promptrails-go/internal/seal"
	"github.com/promptrails-community/promptrails-go/internal/service"
	"github.com/promptrails-community/promptrails-go/internal/store"
	"github.com/promptrails-community/promptrails-go/internal/telemetry"
)

// Config configures a service. The zero Config stores all data in memory.
type Config struct {
	// DSN is the name of a SQLite file, or the URL of a PostgreSQL database. If
	// DSN is empty, the database is in memory and is lost on Close.
	//
	// Open creates a file with mode 0600 if it does not exist. Several processes
	// may open the same file. Open migrates a database of an earlier version of this
	// module: stop the processes that use that version before.
	//
	// The URL has the form postgres://user:password@host:port/database?parameters,
	// with the parameters of libpq, and pool_max_conns (the default is 16). Half of
	// the connections are for writes. Open creates the tables in the first schema
	// of search_path, which must be empty, unless they exist. Several processes on
	// several machines may use the same database; they need the same MasterKey, and
	// clocks that differ by less than 10 seconds. The user must own the tables to
	// create or migrate them. If the user is not a superuser, row-level security
	// hides the rows of other workspaces from the statements of a workspace, in
	// addition to their conditions. If the database has the Citus extension, Open
	// distributes the tables when it creates them, and there is no row-level
	// security.
	//
	// If the connection to PostgreSQL is lost during a commit, the outcome is looked
	// up by the idempotency key of the request. Without a key, the response is a 500
	// that says that the outcome is not known.
	//
	// To back up a SQLite file, call [Service.Backup], and copy its key file to another
	// place. A copy of only the file, made while the service runs, lacks the data in
	// its -wal.
	DSN string

	// MasterKey, of 32 bytes, encrypts secrets at rest. It is required for a
	// PostgreSQL database. If it is nil, a database in memory gets a random key,
	// and a new file gets a key file next to it, with the suffix .key and mode
	// 0600. Back up the key file separately from the database: neither can be opened
	// without the other. Open rejects a key file that other users can read, and a
	// key file without its database.
	MasterKey []byte
	// PreviousMasterKeys are the other keys that stored values may still be
	// encrypted with. See [Service.Reseal].
	PreviousMasterKeys [][]byte

	// Logger receives the internal errors of failed requests, which are not sent to
	// the caller, at level error, and a line for each request at level info: method,
	// route (the path template), status, duration, bytes (of the body), request_id,
	// principal (user:ID or api_key:ID), and disconnected if the client has not received
	// the response. Secrets, queries and bodies are not logged. A handler with level warn
	// omits the lines of requests. If Logger is nil, there is no log.
	Logger *slog.Logger
	// TracerProvider receives the spans of the service, and MeterProvider its metrics,
	// which the package documentation lists. A nil provider receives nothing, at no
	// cost. The providers must be open until Close returns.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Limits bounds the work and the memory of the service.
	Limits Limits
	// Now returns the current time. The default is time.Now.
	Now func() time.Time
	// DefaultPlan is the plan of new workspaces. The default is
	// [promptrails.PlanFree], which has one seat.
	DefaultPlan promptrails.PlanID
	// TrustedProxies are the peers whose X-Forwarded-For is trusted. The
	// caller's address is the rightmost hop that is not a trusted proxy.
	TrustedProxies []netip.Prefix

	// CORSOrigins are the origins from which browsers may call the service,
	// such as https://app.example.com or https://*.example.com. If it is empty,
	// all origins are allowed. A page needs a key or token in any case; a key
	// can have its own allowed_origins.
	CORSOrigins []string

	// AllowLoopbackWebhooks allows channel URLs on this machine's loopback,
	// also with http, for tests. Otherwise a channel's URL must be https and
	// resolve to a public address, both when it is saved and when it is dialed.
	AllowLoopbackWebhooks bool
	// WebhookResolver resolves the hosts of channels. The default is the system
	// resolver.
	WebhookResolver *net.Resolver

	// NoBackground disables the work between requests: the service sends no
	// notifications, and deletes no expired data. Set it in a program that only
	// administers or checks a database, or opens a copy of one.
	NoBackground bool

	// AuthenticateUser authenticates users of your own identity provider by
	// their tokens. Return only email addresses that the provider has verified:
	// the address identifies the user and accepts invitations. The user is
	// created on first use. AuthenticateUser is not called for tokens that
	// start with pat_ or pr_. Return [promptrails.ErrUnauthorized] for an
	// invalid token; any other error results in a 503. It may be called
	// concurrently.
	AuthenticateUser func(ctx context.Context, token string) (email, name string, err error)
	// CheckCredential checks a credential on request. If it is nil, a check
	// validates only the format and never reports a credential as valid. An
	// error results in a 503. It may be called concurrently.
	CheckCredential func(ctx context.Context, c *promptrails.Credential, value promptrails.Secret) (*promptrails.CredentialCheck, error)
}

// Service is a running workspace service. It is an [http.Handler] that serves the API
// under /api/v1, and /healthz, /readyz and /openapi.json. It is safe for concurrent
// use.
type Service struct {
	service     *service.Service
	handler     http.Handler
	logger      *slog.Logger
	requestTime time.Duration // 0: no limit
	keyIsLost   bool          // on Close: it is random and in memory
}

// Open starts a service. It returns an error, without changing any file, for a
// database of another program, a database with a newer schema, or a master key
// that does not match the database.
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
	master, key, err := cfg.masterKey(ctx)
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
	}, func(from, to int64) {
		cfg.Logger.WarnContext(ctx, "promptrails: migrate the database; programs with the earlier schema can only open a backup of it", "from", from, "to", to)
	})
	if err != nil {
		return nil, err
	}
	db.LimitWriters(cfg.Limits.Writers)
	observed, err := telemetry.New(cfg.TracerProvider, cfg.MeterProvider)
	if err == nil {
		err = db.Observe(observed)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	cfg.Logger.InfoContext(ctx, "promptrails: open", "database", db.System())
	s, err := service.New(ctx, service.Config{
		Store: db, Ring: ring, Now: cfg.Now, Logger: cfg.Logger,
		DefaultPlan: cfg.DefaultPlan, AuthenticateUser: cfg.AuthenticateUser, CheckCredential: cfg.CheckCredential,
		Guard:       notify.Guard{AllowLoopback: cfg.AllowLoopbackWebhooks, Resolver: cfg.WebhookResolver},
		MaxRequests: cfg.Limits.Requests, Rate: service.Rate{PerSecond: cfg.Limits.Rate, Burst: cfg.Limits.Burst},
		Telemetry: observed, NoBackground: cfg.NoBackground,
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := key.opened(); err != nil {
		return nil, errors.Join(err, s.Close()) //nolint:contextcheck // Close waits for running work, even if the context is done
	}
	handler := api.New(api.Config{ //nolint:contextcheck // a request has a context of its own
		Service: s, Logger: cfg.Logger, TrustedProxies: cfg.TrustedProxies, CORSOrigins: cfg.origins(),
		RequestTime: cfg.Limits.RequestTime, ResponseBytes: cfg.Limits.ResponseBytes, Telemetry: observed,
	})
	return &Service{service: s, handler: handler, logger: cfg.Logger, requestTime: cfg.Limits.RequestTime, keyIsLost: cfg.DSN == "" && cfg.MasterKey == nil}, nil
}

// removeNew removes the files of a new database that failed to open.
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

// complete sets defaults for omitted fields and rejects invalid ones.
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
	if err := cfg.Limits.complete(); err != nil {
		return err
	}
	_, isPlan := policy.PlanByID(string(cfg.DefaultPlan))
	switch {
	case !isPlan:
		return fmt.Errorf("Config.DefaultPlan: no plan %q", cfg.DefaultPlan)
	case strings.Contains(cfg.DSN, "://") && !store.IsServer(cfg.DSN):
		return errors.New("Config.DSN: must be the name of a SQLite file, or a URL that begins with postgres://")
	case isKeywords(cfg.DSN):
		return errors.New("Config.DSN: the keywords of libpq are not supported; write a URL that begins with postgres://")
	case strings.HasPrefix(cfg.DSN, ":") || strings.HasPrefix(cfg.DSN, "file:"):
		return errors.New("Config.DSN: must be a plain file name, or empty for a database in memory")
	}
	for _, origin := range cfg.CORSOrigins {
		if _, err := policy.ParseOrigin(origin); err != nil {
			return fmt.Errorf("Config.CORSOrigins: %q %w", origin, err)
		}
	}
	return nil
}

// isKeywords reports whether a DSN is a connection string of PostgreSQL that is no URL. It
// would be the name of a file that contains a password.
func isKeywords(dsn string) bool {
	if strings.Contains(dsn, "://") {
		return false
	}
	return strings.HasPrefix(dsn, "postgres:") || strings.HasPrefix(dsn, "postgresql:") ||
		strings.Contains(dsn, "host=") || strings.Contains(dsn, "password=") || strings.Contains(dsn, "dbname=")
}

// origins returns the parsed CORSOrigins.
func (cfg *Config) origins() (list []policy.Origin) {
	for _, text := range cfg.CORSOrigins {
		if origin, err := policy.ParseOrigin(text); err == nil {
			list = append(list, origin)
		}
	}
	return list
}

// Reseal reencrypts all values that are encrypted with a previous master key,
// using the current one, while the service runs. It can be interrupted and run
// again. If several processes use the database, all of them must have been opened
// with the current key before. After it returns nil, the previous keys can be
// destroyed; until then the service cannot be opened without them. If the service
// is opened without a key that idempotency keys of the last 24 hours were stored
// with, requests that reuse them return 409 idempotency_key_reused, because the
// original requests can no longer be compared.
//
// An error lists each value that could not be decrypted. All other values have
// been reencrypted.
func (s *Service) Reseal(ctx context.Context) error { return publicError(s.service.Reseal(ctx)) }

// ServeHTTP serves a request of the API.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Close stops the service and closes its database. It waits up to 30 seconds
// for running requests; new requests get a 503. Notifications that are
// interrupted are sent again after the database is next opened.
func (s *Service) Close() error { return s.service.Close() }
