package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/notify"
	"github.com/promptrails-community/promptrails-go/internal/store"
	"github.com/promptrails-community/promptrails-go/internal/telemetry"
)

// The maximum numbers of concurrent attempts of a process, in total and for each workspace. A
// channel has at most one, so that a slow receiver only delays its own
// deliveries.
const (
	maxSending          = 64
	maxSendingWorkspace = 16
)

// pauses are the pauses between the attempts of a delivery, each with a random
// jitter of up to 20%. The number of attempts is len(pauses)+1.
var pauses = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour, 12 * time.Hour}

// failingFor is the time after which a channel is paused if all its attempts
// fail.
const failingFor = 3 * 24 * time.Hour

// claimLasts is the time for which a process claims a channel. It is longer than an
// attempt, so that another process takes the channel only if the first one has ended.
const claimLasts = 2 * notify.Timeout

// pollInterval is the maximum interval between checks, since other processes that use
// the same database may end before they send their deliveries.
const pollInterval = 5 * time.Second

// dispatcher sends the deliveries that are due.
type dispatcher struct {
	sender *notify.Sender
	woken  chan struct{}
	name   string // of the claims of this process
}

func newDispatcher(g notify.Guard) *dispatcher {
	return &dispatcher{sender: notify.NewSender(g), woken: make(chan struct{}, 1), name: rand.Text()}
}

// wake wakes the dispatcher, because there may be more to send.
func (d *dispatcher) wake() {
	select {
	case d.woken <- struct{}{}:
	default: // already woken
	}
}

// sending holds the channels with a running attempt, and the number of attempts
// for each workspace.
type sending struct {
	channels   map[string]bool
	workspaces map[string]int
}

// full returns the workspaces with the maximum number of attempts.
func (s *sending) full() (workspaces []string) {
	for w, n := range s.workspaces {
		if n >= maxSendingWorkspace {
			workspaces = append(workspaces, w)
		}
	}
	return workspaces
}

func (s *sending) begin(c store.ChannelRef) { s.channels[c.ID] = true; s.workspaces[c.Workspace]++ }

func (s *sending) end(c store.ChannelRef) {
	delete(s.channels, c.ID)
	if s.workspaces[c.Workspace]--; s.workspaces[c.Workspace] == 0 {
		delete(s.workspaces, c.Workspace)
	}
}

// dispatch sends deliveries until ctx is cancelled. The queue is in the database
// and survives restarts.
func (s *Service) dispatch(ctx context.Context) {
	under := &sending{channels: map[string]bool{}, workspaces: map[string]int{}}
	ended := make(chan store.ChannelRef)
	var senders sync.WaitGroup
	defer s.dispatcher.sender.Close()
	defer senders.Wait()
	for {
		wait := s.startDue(ctx, under, func(c store.ChannelRef) {
			senders.Go(func() {
				s.attempt(ctx, c)
				select {
				case ended <- c:
				case <-ctx.Done():
				}
			})
		})
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case c := <-ended:
			under.end(c)
		case <-s.dispatcher.woken:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// patience is the maximum interval between checks while deliveries are pending.
// Timers cannot be used for longer waits, because the service's clock may differ
// from theirs.
const patience = time.Second

// startDue starts the attempts that are due. It returns the time to wait before
// the next check, unless an attempt finishes or the dispatcher is woken before.
func (s *Service) startDue(ctx context.Context, under *sending, start func(store.ChannelRef)) (wait time.Duration) {
	free := maxSending - len(under.channels)
	if free == 0 {
		return pollInterval
	}
	now := s.Now()
	var due []store.ChannelRef
	err := s.Store.Read(ctx, func(g *store.Global) (err error) {
		due, err = g.DueChannels(now, under.full(), free+len(under.channels))
		return err
	})
	if err != nil {
		s.failed(ctx, err)
		return patience
	}
	for _, c := range due {
		switch {
		case under.channels[c.ID]:
		case c.At.After(now):
			return min(patience, max(time.Millisecond, c.At.Sub(now)))
		case free == 0 || under.workspaces[c.Workspace] >= maxSendingWorkspace:
		default:
			under.begin(c)
			start(c)
			free--
		}
	}
	return pollInterval
}

func (s *Service) failed(ctx context.Context, err error) {
	if ctx.Err() == nil && err != nil {
		s.Logger.ErrorContext(ctx, "promptrails: notifications", "error", err)
	}
}

// attempt claims a channel, sends its delivery that has been due the longest and
// records the result. If the process stops in between, the delivery is sent again.
func (s *Service) attempt(ctx context.Context, c store.ChannelRef) {
	claimed, err := s.claim(ctx, c)
	if claimed {
		err = s.send(ctx, c)
	}
	if err != nil {
		s.failedAttempt(ctx, err)
	}
	if claimed && (err != nil || ctx.Err() != nil) {
		s.failed(ctx, s.release(c)) //nolint:contextcheck // ctx may be done
	}
}

// send sends the next delivery of a claimed channel and records the result. A delivery
// that has succeeded is recorded even if ctx is done, because it would be sent again.
func (s *Service) send(ctx context.Context, c store.ChannelRef) error {
	channel, d, message, err := s.prepare(ctx, c)
	if errors.Is(err, store.ErrNotFound) {
		return s.reschedule(ctx, c)
	}
	if err != nil {
		return err
	}
	at := s.Now().UTC().Truncate(time.Microsecond)
	result := &notify.Result{Fault: "the URL or secret cannot be decrypted with the master key"}
	if message != nil {
		result = s.dispatcher.sender.Send(ctx, message)
	}
	if ctx.Err() != nil && result.Fault != "" {
		return nil // the service is shutting down; the receiver did not fail
	}
	err = s.note(context.WithoutCancel(ctx), channel, d, at, result)
	if errors.Is(err, store.ErrNotFound) {
		return s.reschedule(ctx, c)
	}
	return err
}

// failedAttempt logs an error of the database and waits before the next attempt.
func (s *Service) failedAttempt(ctx context.Context, err error) {
	s.failed(ctx, err)
	select {
	case <-ctx.Done():
	case <-time.After(patience):
	}
}

// claim claims a channel for this process. It reports false if the channel is not due
// anymore, or if another process has claimed it.
func (s *Service) claim(ctx context.Context, c store.ChannelRef) (claimed bool, err error) {
	err = s.Store.Write(ctx, func(g *store.Global) (err error) {
		now := s.Now()
		claimed, err = g.Workspace(c.Workspace).Claim(c.ID, s.dispatcher.name, now, now.Add(claimLasts))
		return err
	})
	return claimed && err == nil, err
}

// release clears the claim of a channel after an interrupted attempt.
func (s *Service) release(c store.ChannelRef) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return s.Store.Write(ctx, func(g *store.Global) error {
		_, err := g.Workspace(c.Workspace).Release(c.ID, s.dispatcher.name)
		return err
	})
}

// prepare reads the next delivery of a channel. The message is nil if the URL or
// the secret cannot be decrypted. prepare returns [store.ErrNotFound] if the
// channel does not exist or is not active, or if no delivery is due.
func (s *Service) prepare(ctx context.Context, ref store.ChannelRef) (channel *store.Channel, d *store.Delivery, m *notify.Message, err error) {
	err = s.Store.Read(ctx, func(g *store.Global) error {
		x := s.asSystem(g, ref.Workspace)
		if channel, err = x.tx.Channel(ref.ID); err != nil {
			return err
		}
		if !channel.IsActive {
			return store.ErrNotFound
		}
		if d, err = x.tx.NextDelivery(ref.ID, x.now); err != nil {
			return err
		}
		if m, err = x.message(channel, d); err != nil {
			s.failed(ctx, err)
			m = nil
		}
		return nil
	})
	return channel, d, m, err
}

func (x *Session) message(c *store.Channel, d *store.Delivery) (*notify.Message, error) {
	url, err := x.open(c, "url", c.SealedURL)
	if err != nil {
		return nil, err
	}
	m := &notify.Message{URL: url, ID: d.WebhookID, Body: d.Body, At: x.now, Slack: c.Type == promptrails.ChannelSlack}
	if m.Slack {
		return m, nil
	}
	secret, err := x.open(c, "secret", c.SealedSecret)
	if err != nil {
		return nil, err
	}
	m.Secrets = []string{secret}
	if c.PreviousSecret != nil && x.now.Before(c.PreviousEndsAt) {
		previous, err := x.open(c, "previous_secret", c.PreviousSecret)
		if err != nil {
			return nil, err
		}
		m.Secrets = append(m.Secrets, previous)
	}
	return m, nil
}

// note stores the result of an attempt: the final status of the delivery or the
// time of the next attempt. It stores nothing if the process has lost its claim of
// the channel, because another process sends the delivery then. Otherwise, no other
// attempt has changed the delivery. The delivery may have been deleted.
func (s *Service) note(ctx context.Context, c *store.Channel, d *store.Delivery, at time.Time, r *notify.Result) error {
	d.Attempts = append(d.Attempts, promptrails.DeliveryAttempt{At: at, StatusCode: r.StatusCode, Error: r.Fault, DurationMS: r.Duration.Milliseconds()})
	outcome := telemetry.Failed
	switch n := len(d.Attempts); {
	case r.Fault == "":
		d.Status, d.NextAttemptAt, outcome = promptrails.DeliveryDelivered, time.Time{}, telemetry.Delivered
	case r.StatusCode == http.StatusGone:
		d.Status, d.NextAttemptAt = promptrails.DeliveryFailed, time.Time{}
	case n <= len(pauses):
		d.NextAttemptAt, outcome = s.Now().Add(max(jittered(pauses[n-1]), min(r.RetryAfter, pauses[len(pauses)-1]))), telemetry.Retry
	default:
		d.Status, d.NextAttemptAt = promptrails.DeliveryFailed, time.Time{}
	}
	s.Telemetry.Attempted(ctx, outcome, r.Duration)
	return s.Store.Write(ctx, func(g *store.Global) error {
		x := s.asSystem(g, c.WorkspaceID)
		claimed, err := x.tx.Release(c.ID, s.dispatcher.name)
		if err != nil || !claimed {
			return err
		}
		if err := x.tx.UpdateDelivery(d); err != nil {
			return err
		}
		if r.Fault == "" && c.FailingSince.IsZero() {
			return nil // the channel's state does not change
		}
		return x.judgeChannel(c.ID, r)
	})
}

// reschedule updates the schedule of a channel after its delivery was deleted.
// The channel or its workspace may have been deleted too.
func (s *Service) reschedule(ctx context.Context, c store.ChannelRef) error {
	err := s.Store.Write(ctx, func(g *store.Global) error {
		x := g.Workspace(c.Workspace)
		if _, err := x.Release(c.ID, s.dispatcher.name); err != nil {
			return err
		}
		return x.Schedule(c.ID)
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.8 + 0.4*mathrand.Float64())) //nolint:gosec // not used for secrets
}

// judgeChannel records since when the attempts of a channel fail. It pauses the
// channel after 3 days of failures, or if the receiver returned 410 Gone.
func (x *Session) judgeChannel(id string, r *notify.Result) error {
	c, err := x.tx.Channel(id)
	if err != nil {
		return err
	}
	switch {
	case r.Fault == "":
		c.FailingSince = time.Time{}
	case r.StatusCode == http.StatusGone && c.IsActive:
		return x.pauseChannel(c, "the receiver returned status 410 Gone")
	case c.FailingSince.IsZero():
		c.FailingSince = x.now
	case c.IsActive && x.now.Sub(c.FailingSince) >= failingFor:
		return x.pauseChannel(c, fmt.Sprintf("all deliveries have failed since %s: %s", c.FailingSince.Format(time.RFC3339), r.Fault))
	default:
		return nil
	}
	return x.tx.UpdateChannel(c)
}
