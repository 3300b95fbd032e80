// Package service is the workspace service without HTTP: who may do what, what
// it changes, and what is remembered of it.
//
// A call becomes a [Request]. [Service.Read] and [Service.Act] judge it, open a
// transaction and hand a [Session] to the function that does the work: a method
// of Session in the file of its area.
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
)

// Config is what a service is made of.
type Config struct {
	Store       *store.Store
	Ring        *seal.Ring
	Now         func() time.Time
	Logger      *slog.Logger
	DefaultPlan promptrails.PlanID
	// AuthenticateUser knows the people whose tokens are not the service's own;
	// nil: there are none.
	AuthenticateUser func(ctx context.Context, token string) (email, name string, err error)
	// CheckCredential tries a credential; nil: its form alone is looked at.
	CheckCredential func(ctx context.Context, c *promptrails.Credential, value promptrails.Secret) (*promptrails.CredentialCheck, error)
	// Guard says where notifications may go.
	Guard notify.Guard
}

// Service is safe for concurrent use.
type Service struct {
	Config
	ids        ids
	running    running
	requests   requests
	activity   activity
	dispatcher *dispatcher
	stop       context.CancelFunc
	stopped    sync.WaitGroup
}

// maxRequests is how many requests run at once.
const maxRequests = 8192

// requests counts those that run.
type requests struct {
	mu      sync.Mutex
	running int
	closing chan struct{} // not nil once the service is being closed; closed when the last one has ended
}

// New starts a service over an open store, which Close closes.
func New(ctx context.Context, cfg Config) (*Service, error) {
	s := &Service{Config: cfg, dispatcher: newDispatcher(cfg.Guard)}
	if err := s.keepProof(ctx); err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.stopped.Go(func() { s.housekeep(background) })
	s.stopped.Go(func() { s.dispatch(background) })
	return s, nil
}

// closeWait bounds the wait for requests that still run.
const closeWait = 30 * time.Second

// Begin counts a request, which ends with End. It returns false once the service
// is being closed.
func (s *Service) Begin() bool {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	if s.requests.closing != nil || s.requests.running >= maxRequests {
		return false
	}
	s.requests.running++
	return true
}

// End ends a request that Begin has counted.
func (s *Service) End() {
	s.requests.mu.Lock()
	defer s.requests.mu.Unlock()
	if s.requests.running--; s.requests.running == 0 && s.requests.closing != nil {
		close(s.requests.closing)
	}
}

// drain refuses new requests, and waits for those that run.
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

// Close waits for the requests that run, ends the service's own work and closes
// the store.
func (s *Service) Close() error {
	s.drain()
	s.stop()
	s.stopped.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return errors.Join(s.FlushActivity(ctx), s.Store.Close())
}

// Ready reports whether the database answers.
func (s *Service) Ready(ctx context.Context) error { return s.Store.Ping(ctx) }

// proof is what the database holds to tell a wrong master key.
const proof = "promptrails-go"

var proofPlace = seal.Place{Table: "settings", Column: "value", Row: store.MasterKeyProof}

// ProveKey returns an error for a proof that the ring does not open. A database
// that has none yet is proven by any key.
func ProveKey(ring *seal.Ring, sealed []byte) error {
	if sealed == nil {
		return nil
	}
	if opened, err := ring.Open(proofPlace, sealed); err != nil || string(opened) != proof {
		return fmt.Errorf("the master key does not fit the database: %w", err)
	}
	return nil
}

// keepProof stores the proof in a new database.
func (s *Service) keepProof(ctx context.Context) error {
	err := s.Store.Read(ctx, func(g *store.Global) error {
		_, err := g.Setting(store.MasterKeyProof)
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return s.Store.Write(ctx, func(g *store.Global) error {
		sealed, err := g.Setting(store.MasterKeyProof)
		if err == nil { // another process was first
			return ProveKey(s.Ring, sealed)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return g.SetSetting(store.MasterKeyProof, s.Ring.Seal(proofPlace, []byte(proof)))
	})
}

// What is kept how long.
const (
	outcomesKept   = 24 * time.Hour
	secretsKept    = 10 * time.Minute
	slugsKept      = 30 * 24 * time.Hour
	deliveriesKept = 30 * 24 * time.Hour
)

// housekeep prunes what is past, and stores when members were last seen.
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

// Prune deletes what is past its time. The service does so by itself.
func (s *Service) Prune(ctx context.Context) error {
	now := s.Now()
	return s.Store.Write(ctx, func(g *store.Global) error {
		return g.Prune(store.Past{
			Outcomes: now.Add(-outcomesKept), Secrets: now.Add(-secretsKept), Slugs: now.Add(-slugsKept), Deliveries: now.Add(-deliveriesKept), Now: now,
		})
	})
}

// NewID returns an identifier.
func (s *Service) NewID() string { return s.ids.next(s.Now()) }
