package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// The faults.
const (
	killFault     = "kill"
	diskFault     = "disk"
	clockFault    = "clock"
	receiverFault = "receiver"
	networkFault  = "network"
)

var faultNames = []string{killFault, diskFault, clockFault, receiverFault, networkFault}

// The durations of a fault and of the calm before it.
const (
	minCalm, maxCalm   = 200 * time.Millisecond, 600 * time.Millisecond
	minFault, maxFault = 300 * time.Millisecond, time.Second
)

// maxAhead bounds the difference of the service's clock.
const maxAhead = 10 * time.Minute

// windows are the times of faults.
type windows struct {
	mu   sync.Mutex
	on   []string
	past []window // of the last minute
}

type window struct {
	fault string
	end   time.Time
}

func (w *windows) begin(fault string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on = append(w.on, fault)
}

func (w *windows) end(fault string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.past = slices.DeleteFunc(w.past, func(p window) bool { return p.end.Before(now.Add(-time.Minute)) })
	w.past = append(w.past, window{fault, now})
	i := slices.Index(w.on, fault)
	w.on = slices.Delete(w.on, i, i+1)
}

// since returns the faults that are on, or that ended after a time.
func (w *windows) since(begun time.Time) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	faults := slices.Clone(w.on)
	for _, p := range w.past {
		if p.end.After(begun) {
			faults = append(faults, p.fault)
		}
	}
	return faults
}

// schedule yields the faults in a random order, with a kill between two others.
func schedule(faults []string, random *rand.Rand) func(yield func(string) bool) {
	others := slices.DeleteFunc(slices.Clone(faults), func(f string) bool { return f == killFault })
	kill := slices.Contains(faults, killFault)
	return func(yield func(string) bool) {
		for {
			random.Shuffle(len(others), func(i, j int) { others[i], others[j] = others[j], others[i] })
			if kill && len(others) == 0 && !yield(killFault) {
				return
			}
			for _, fault := range others {
				if kill && !yield(killFault) || !yield(fault) {
					return
				}
			}
		}
	}
}

// deck yields the numbers 0 to n-1 in a random order, and then in another one.
type deck struct {
	n    int
	rest []int
}

func (d *deck) draw(random *rand.Rand) (i int) {
	if len(d.rest) == 0 {
		d.rest = random.Perm(d.n)
	}
	i, d.rest = d.rest[0], d.rest[1:]
	return i
}

// outages are the modes of a receiver that fails.
var outages = []string{down, fails, slow}

// inject lets a fault happen, and waits until it has passed.
func (s *soaker) inject(ctx context.Context, fault string) error {
	s.windows.begin(fault)
	defer s.windows.end(fault)
	switch fault {
	case killFault:
		return s.kill(ctx)
	case diskFault:
		s.injected["disk: full"]++
		return s.disk.full(ctx, func() { s.wait(ctx) })
	case clockFault:
		ahead := time.Duration(s.random.Int64N(int64(2*maxAhead))) - maxAhead
		s.injected["clock: "+map[bool]string{true: "forward", false: "back"}[ahead > s.service.ahead]]++
		err := s.service.step(ctx, ahead)
		s.wait(ctx)
		return err
	case receiverFault:
		mode := outages[s.outages.draw(s.random)]
		s.injected["receiver: "+mode]++
		s.receiver.become(mode)
		s.wait(ctx)
		s.receiver.become(receives)
		return nil
	default:
		return s.disturb(ctx)
	}
}

// wait waits for the duration of a fault.
func (s *soaker) wait(ctx context.Context) {
	sleep(ctx, minFault+time.Duration(s.random.Int64N(int64(maxFault-minFault))))
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// disturb disturbs the network. The proxy closes the connections, or one of its toxics
// is added.
func (s *soaker) disturb(ctx context.Context) error {
	i := s.disturbances.draw(s.random)
	if i == len(disturbances) {
		s.injected["network: cut"]++
		s.network.close()
		s.wait(ctx)
		return s.network.open(s.service.Service)
	}
	s.injected["network: "+disturbances[i].name]++
	if err := s.network.disturb(disturbances[i].toxic); err != nil {
		return fmt.Errorf("%s: %w", disturbances[i].name, err)
	}
	s.wait(ctx)
	s.network.restore(ctx)
	return nil
}

// kill kills the service and starts it again.
func (s *soaker) kill(ctx context.Context) error {
	s.injected["kill"]++
	s.kills++
	if err := s.service.process.Kill(); err != nil {
		return err
	}
	s.directTransport.CloseIdleConnections()
	if s.lose {
		if err := s.restoreOld(); err != nil {
			return err
		}
	}
	if err := s.service.start(ctx); err != nil {
		return err
	}
	s.network.close()
	if err := s.network.open(s.service.Service); err != nil {
		return err
	}
	for _, r := range s.rooms {
		if err := s.connect(r); err != nil {
			return err
		}
	}
	return nil
}
