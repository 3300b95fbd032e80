package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// maxMeasurements bounds the measurements of the usage at the end.
const maxMeasurements = 10

// finish checks everything for the last time, and waits for the notifications.
func (s *soaker) finish(ctx context.Context) error {
	for range maxMeasurements { // goroutines of closed connections may need time
		if err := s.checkAll(ctx, func(service, client usage) { s.serviceEnd, s.clientEnd = service, client }); err != nil {
			return err
		}
		if len(s.growth()) == 0 {
			break
		}
		sleep(ctx, time.Second)
	}
	if err := s.deliver(ctx); err != nil {
		return err
	}
	for _, r := range s.rooms {
		for f, err := range s.approvals.list(ctx, r.direct) {
			if err != nil {
				return err
			}
			if !s.receiver.has(f.id) {
				s.lost = append(s.lost, "the notification of the approval "+f.id)
			}
		}
		all := r.direct.Changelog.All(ctx, &promptrails.ListChangelogParams{Order: promptrails.OrderAscending})
		if _, err := promptrails.VerifyChangelog(all, nil); err != nil {
			return err
		}
	}
	report, err := s.service.check(ctx)
	if err != nil {
		return err
	}
	for _, p := range report.Problems {
		s.problems = append(s.problems, fmt.Sprintf("Service.Check: workspace %q: %s: %s", p.Workspace, p.Kind, p.What))
	}
	log.Printf("Service.Check: %d workspaces, %d entries, %d values", report.Workspaces, report.Entries, report.Values)
	return nil
}

// deliver waits until all notifications are delivered. It sets the clock forward, because
// a failed delivery is repeated later, and the claims of a killed process expire later.
func (s *soaker) deliver(ctx context.Context) error {
	for step := 3 * maxAhead; ; step *= 2 {
		if err := s.service.step(ctx, s.service.ahead+step); err != nil {
			return err
		}
		deadline := time.Now().Add(deliveryWait)
		for {
			n, err := s.pending(ctx)
			if err != nil || n == 0 {
				return err
			}
			if time.Now().After(deadline) {
				break
			}
			sleep(ctx, 50*time.Millisecond)
		}
		if step > 24*time.Hour {
			return errors.New("notifications are not delivered, although the clock of the service is days ahead")
		}
	}
}

// deliveryWait is more than the interval in which the service looks for notifications
// that are due.
const deliveryWait = 6 * time.Second

// pending returns the number of workspaces with notifications that are not delivered.
func (s *soaker) pending(ctx context.Context) (n int, err error) {
	for _, r := range s.rooms {
		page, err := r.direct.Notifications.ListDeliveries(ctx, r.main.ID, &promptrails.ListDeliveriesParams{
			Status: promptrails.DeliveryPending, ListOptions: promptrails.ListOptions{Limit: 1},
		})
		if err != nil {
			return 0, err
		}
		n += len(page.Items)
	}
	return n, nil
}
