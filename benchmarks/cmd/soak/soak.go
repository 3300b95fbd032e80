package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	cryptorand "crypto/rand"
)

// rooms is the number of workspaces.
const rooms = 3

// soaker runs the load and the faults.
type soaker struct {
	*options

	random       *rand.Rand // of the faults
	outages      *deck      // indexes of outages
	disturbances *deck      // indexes of disturbances; the next one is a cut

	service  *service
	network  *network
	disk     disk
	receiver *receiver
	windows  *windows
	counts   *counts

	transport, directTransport *http.Transport

	kinds     []*kind
	approvals *kind
	rooms     []*room
	gate      sync.RWMutex // is held by a check, and for reading by a change
	result
}

// result is the result of a run.
type result struct {
	started  time.Time
	load     time.Duration // with the checks
	injected map[string]int
	kills    int
	checks   int
	notes    []string // about the faults
	lost     []string
	doubled  []string
	problems []string

	serviceStart, serviceEnd usage
	clientStart, clientEnd   usage
}

// soak runs a soak and writes its report to w. It returns an error if a claim of the
// report does not hold.
func soak(ctx context.Context, o *options, w io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := newSoaker(o)
	if o.database == "file" {
		s.service.dsn = filepath.Join(dir, "soak.db")
	}
	s.disk = s.prepareDisk(dir)
	defer func() { err = errors.Join(err, s.disk.remove()) }()
	return s.soak(ctx, w)
}

// newSoaker returns a soaker without a disk.
func newSoaker(o *options) *soaker {
	s := &soaker{
		options: o, random: newRandom(o.seed, 0), outages: &deck{n: len(outages)}, disturbances: &deck{n: len(disturbances) + 1},
		service: &service{dsn: o.database}, receiver: newReceiver(), windows: new(windows), kinds: newKinds(),
		transport: &http.Transport{MaxIdleConnsPerHost: 64}, directTransport: new(http.Transport),
		result: result{injected: map[string]int{}},
	}
	s.approvals = s.kinds[len(s.kinds)-1]
	s.counts = newCounts(s.windows)
	return s
}

// soak runs the service with the load, and writes the report.
func (s *soaker) soak(ctx context.Context, w io.Writer) error {
	defer s.receiver.server.Close()
	if err := s.service.start(ctx); err != nil {
		return err
	}
	if err := s.run(ctx); err != nil {
		s.problems = append(s.problems, err.Error())
	}
	if err := s.service.process.Stop(); err != nil {
		s.problems = append(s.problems, "the service has stopped with an error: "+err.Error())
	}
	if err := s.print(w); err != nil {
		return err
	}
	return s.verdict()
}

// run runs the load until the time is over.
func (s *soaker) run(ctx context.Context) (err error) {
	if s.network, err = newNetwork(s.service.Service); err != nil {
		return err
	}
	defer s.network.close()
	for i := range rooms {
		r, err := s.newRoom(ctx, fmt.Sprintf("soak-%d-%s", i, strings.ToLower(cryptorand.Text())))
		if err != nil {
			return err
		}
		s.rooms = append(s.rooms, r)
	}
	var workers sync.WaitGroup
	load, stop := context.WithCancel(ctx)
	defer workers.Wait()
	defer stop()
	s.started = time.Now()
	s.counts.resume()
	for i, r := range s.rooms {
		s.employ(load, &workers, r, uint64(i)<<8)
	}
	sleep(ctx, warmUp)
	if err := s.checkAll(ctx, func(service, client usage) { s.serviceStart, s.clientStart = service, client }); err != nil {
		return err
	}
	for fault := range schedule(s.faults, s.random) {
		sleep(ctx, minCalm+time.Duration(s.random.Int64N(int64(maxCalm-minCalm))))
		if ctx.Err() != nil {
			break
		}
		if err := s.inject(ctx, fault); err != nil {
			return fmt.Errorf("%s: %w", fault, err)
		}
		if err := s.checkAll(ctx, nil); err != nil {
			return fmt.Errorf("check after the fault %s: %w", fault, err)
		}
		if time.Since(s.started) > s.duration-coolDown || s.kills > 0 && s.kills == s.maxKills {
			break
		}
	}
	sleep(ctx, coolDown)
	stop()
	workers.Wait()
	s.load = time.Since(s.started)
	return s.finish(context.WithoutCancel(ctx))
}

// The times of the load before the first fault and after the last one.
const (
	warmUp   = time.Second
	coolDown = time.Second
)

// employ starts the workers of a room.
func (s *soaker) employ(ctx context.Context, workers *sync.WaitGroup, r *room, stream uint64) {
	for i, k := range append(slices.Clone(s.kinds), nil) {
		w := &worker{soaker: s, room: r, kind: k, random: newRandom(s.seed, stream+uint64(i)+1)}
		workers.Go(func() {
			if w.kind == nil {
				w.read(ctx)
			} else {
				w.work(ctx)
			}
		})
	}
}

// newRandom returns a source of random numbers that depends on the seed only.
func newRandom(seed, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream)) //nolint:gosec // not used for secrets
}

// checkAll waits until no request is running, and checks all rooms. It passes the usage
// of the service and of this process to report, unless it is nil.
func (s *soaker) checkAll(ctx context.Context, report func(service, client usage)) error {
	s.counts.pause() // from here on, the check is the reason
	s.gate.Lock()
	defer s.gate.Unlock()
	defer s.counts.resume()
	s.transport.CloseIdleConnections()
	s.directTransport.CloseIdleConnections()
	s.network.close()
	service, err := s.service.usage(ctx)
	if err != nil {
		return err
	}
	if report != nil {
		report(service, readUsage())
	}
	if err := s.network.open(s.service.Service); err != nil {
		return err
	}
	s.checks++
	for _, r := range s.rooms {
		v, err := s.check(ctx, r)
		if err != nil {
			return err
		}
		s.lost, s.doubled = append(s.lost, v.lost...), append(s.doubled, v.doubled...)
	}
	return nil
}
