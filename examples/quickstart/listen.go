package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// events receives the webhooks of a notification channel.
type events struct {
	server   *http.Server // nil if the service refused the loopback URL
	received chan *promptrails.Event
}

// listen starts an HTTP server and creates a notification channel that sends
// usage events to it. A service that only delivers to public addresses refuses
// the URL; listen then returns events without a server.
//
// A program that runs for a long time has more to do, such as discarding
// duplicates: see examples/webhookreceiver.
func listen(ctx context.Context, ada *promptrails.Client) (*events, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &events{received: make(chan *promptrails.Event, 10)}
	channel, err := ada.Notifications.CreateChannel(ctx, &promptrails.CreateChannelParams{
		Name: "Operations", Type: promptrails.ChannelWebhook, URL: promptrails.NewSecret("http://" + listener.Addr().String() + "/hooks"),
		Events: []promptrails.EventType{promptrails.EventUsageThreshold, promptrails.EventUsageLimitReached},
	})
	if errors.Is(err, promptrails.ErrValidation) {
		return e, listener.Close()
	}
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	e.server = &http.Server{ReadTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			return
		}
		event, err := promptrails.ParseWebhook(r.Header, body, channel.Secret)
		if err != nil {
			http.Error(w, "invalid signature", http.StatusUnauthorized)
			return
		}
		e.received <- event
	})}
	go func() { _ = e.server.Serve(listener) }() // returns after close
	return e, nil
}

// print prints the two events about a limit: one for its threshold, and one for
// reaching it. It waits up to 10 seconds for each.
func (e *events) print(ctx context.Context, out io.Writer) {
	if e.server == nil {
		fmt.Fprintln(out, "   (this server only sends webhooks to public addresses)")
		return
	}
	for range 2 {
		select {
		case event := <-e.received:
			if data, ok := event.Data.(*promptrails.UsageEvent); ok {
				fmt.Fprintf(out, "   webhook %s: %d of %d %s\n", event.Type, data.Used, data.Max, data.Limit)
			}
		case <-ctx.Done():
			return
		case <-time.After(10 * time.Second):
			fmt.Fprintln(out, "   (no webhook received within 10 seconds)")
			return
		}
	}
}

func (e *events) close() {
	if e.server != nil {
		_ = e.server.Close()
	}
}
