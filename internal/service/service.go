// Package service implements the workspace service without HTTP: permissions,
// operations and the changelog.
//
// A call becomes a [Request]. [Service.Read] and [Service.Act] authorize it,
// open a transaction and pass a [Session] to the function that does the work,
// which is a method of Session.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/notify"
	"github.com/promptrails-community/promptrails-go/internal/seal"
	"github.com/promptrails-community/promptrails-go/internal/store"
	"github.com/promptrails-community/promptrails-go/internal/telemetry"
)

// Config configures a Service.
type Config struct {
	Store       *store.Store
	Ring        *seal.Ring
	Now         func() time.Time
	Logger      *slog.Logger
	DefaultPlan promptrails.PlanID
	// AuthenticateUser authenticates tokens that the service did not issue. If
	// nil, such tokens are refused.
	AuthenticateUser func(ctx context.Context, token string) (email, name string, err error)
	// CheckCredential checks whether a credential works. If nil, only the
	// credential's form is checked.
	CheckCredential func(ctx context.Context, c *promptrails.Credential, value promptrails.Secret) (*promptrails.CredentialCheck, error)
	// Guard restricts the destinations of notifications.
	Guard notify.Guard
	// MaxRequests is the maximum number of concurrent requests.
	MaxRequests int
	// Rate limits the requests of each caller.
	Rate Rate
	// Telemetry records deliveries and pruned rows. It may be nil.
	Telemetry *telemetry.Telemetry
	// NoBackground disables deliveries and housekeeping.
	NoBackground bool
}

// Service is the workspace service. It is safe for concurrent use.
type Service struct {
	Config
	ids        ids
	running    running
	requests   requests
	rates      *rates // nil: no limit
	activity   activity
	dispatcher *dispatcher
	stop       context.CancelFunc
	stopped    sync.WaitGroup
}

// requests counts the running requests.
type requests struct {
	mu      sync.Mutex
	running int
	closing chan struct{} // not nil while the service is closing; closed after the last request
}

// New starts a service with an open store. Close closes the store.
func New(ctx context.Context, cfg Config) (*Service, error) {
	rates, err := newRates(cfg.Rate)
	if err != nil {
		return nil, err
	}
	s := &Service{Config: cfg, dispatcher: newDispatcher(cfg.Guard), rates: rates}
	if err := s.keepProof(ctx); err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(telemetry.Detach(ctx))
	s.stop = stop
	if !cfg.NoBackground {
		s.stopped.Go(func() { s.housekeep(background) })
		s.stopped.Go(func() { s.dispatch(background) })
	}
	return s, nil
}

// closeWait is the maximum time that Close waits for running requests.
const closeWait = 30 * time.Second

// The reasons to refuse a request before it is read.
var (
	errClosing  = errors.New("the service is closing")
	errRequests = errors.New("the service has too many concurrent requests")
)

// Begin registers a request. It returns an error if the service is closing or, except
// for a probe, has too many requests. Otherwise the caller must call End after the
// request.
func (s *Service) Begin(isProbe bool) error {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	switch {
	case s.requests.closing != nil:
		return Unavailable(errClosing)
	case s.requests.running >= s.MaxRequests && !isProbe:
		return Unavailable(errRequests)
	}
	s.requests.running++
	return nil
}

// End unregisters a request after a successful Begin.
func (s *Service) End() {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	if s.requests.running--; s.requests.running == 0 && s.requests.closing != nil {
		close(s.requests.closing)
	}
}

// drain refuses new requests and waits for the running ones.
func (s *Service) drain() {
	s.requests.mu.Lock()
	if s.requests.closing == nil {
		s.requests.closing = make(chan struct{})
	}
	ended, running := s.requests.closing, s.requests.running
	s.requests.mu.Unlock()
	if running == 0 {
		return
	}
	timeout := time.NewTimer(closeWait)
	defer timeout.Stop()
	select {
	case <-ended:
	case <-timeout.C:
	}
}

// Close waits up to 30 seconds for running requests, stops the background work
// and closes the store.
func (s *Service) Close() error {
	s.drain()
	s.stop()
	s.stopped.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(s.FlushActivity(ctx), s.Store.Close())
}

// Ready returns an error if the database does not respond.
func (s *Service) Ready(ctx context.Context) error { return s.Store.Ping(ctx) }

// proof is the plaintext of a sealed value in the database. It detects a wrong
// master key.
const proof = "promptrails-go"

var proofPlace = seal.Place{Table: "settings", Column: "value", Row: store.MasterKeyProof}

// ProveKey returns an error if the ring cannot open the sealed proof. It
// returns nil if sealed is nil, which is the case for a new database.
func ProveKey(ring *seal.Ring, sealed []byte) error {
	if sealed == nil {
		return nil
	}
	if opened, err := ring.Open(proofPlace, sealed); err != nil || string(opened) != proof {
		return fmt.Errorf("the master key does not match the database: %w", err)
	}
	return nil
}

// keepProof stores the proof in a new database, or checks the stored one.
func (s *Service) keepProof(ctx context.Context) error {
	prove := func(g *store.Global) error {
		sealed, err := g.Setting(store.MasterKeyProof)
		if err != nil {
			return err
		}
		return ProveKey(s.Ring, sealed)
	}
	if err := s.Store.Read(ctx, prove); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return s.Store.Write(ctx, func(g *store.Global) error {
		if err := g.CreateSetting(store.MasterKeyProof, s.Ring.Seal(proofPlace, []byte(proof))); err != nil {
			return err
		}
		return prove(g) // another process may have been first
	})
}

// Retention periods.
const (
	outcomesKept   = 24 * time.Hour
	secretsKept    = 10 * time.Minute
	slugsKept      = 30 * 24 * time.Hour
	deliveriesKept = 30 * 24 * time.Hour
)

// housekeep deletes expired rows and stores activity once a minute.
func (s *Service) housekeep(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := errors.Join(s.FlushActivity(ctx), s.Prune(ctx), s.Store.Checkpoint(ctx)); err != nil && ctx.Err() == nil {
			s.Logger.ErrorContext(ctx, "promptrails: housekeeping", "error", err)
		}
	}
}

// Prune deletes rows past their retention period. The service calls it once a
// minute.
func (s *Service) Prune(ctx context.Context) error {
	now := s.Now()
	var errs []error
	for _, step := range store.Prune(store.Past{
		Outcomes: now.Add(-outcomesKept), Secrets: now.Add(-secretsKept), Slugs: now.Add(-slugsKept), Deliveries: now.Add(-deliveriesKept), Now: now,
	}) {
		var rows int64
		err := s.Store.Write(ctx, func(g *store.Global) (err error) {
			rows, err = step.Run(g)
			return err
		})
		if err == nil {
			s.Telemetry.Pruned(ctx, step.Rows, rows)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// NewID returns a new identifier.
func (s *Service) NewID() string { return s.ids.next(s.Now()) }
