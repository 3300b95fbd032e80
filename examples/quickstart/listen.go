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

// events are those that a webhook was sent. A server that sends to public
// addresses alone sends none here.
type events struct {
	server *http.Server // nil: none come
	came   chan *promptrails.Event
}

// listen opens a channel from the workspace to this program, for what is used
// of the plan. A program that stays needs more: see examples/webhookreceiver.
func listen(ctx context.Context, ada *promptrails.Client) (*events, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &events{came: make(chan *promptrails.Event, 10)}
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
			http.Error(w, "not signed", http.StatusUnauthorized)
			return
		}
		e.came <- event
	})}
	go func() { _ = e.server.Serve(listener) }() // until close
	return e, nil
}

// print waits for the two events of a limit that is used up.
func (e *events) print(out io.Writer) {
	if e.server == nil {
		fmt.Fprintln(out, "   (this server sends webhooks to public addresses alone)")
		return
	}
	for range 2 {
		select {
		case event := <-e.came:
			if data, ok := event.Data.(*promptrails.UsageEvent); ok {
				fmt.Fprintf(out, "   the webhook says %s: %d of %d %s\n", event.Type, data.Used, data.Max, data.Limit)
			}
		case <-time.After(10 * time.Second):
			fmt.Fprintln(out, "   (the server's webhooks do not reach this program)")
			return
		}
	}
}

func (e *events) close() {
	if e.server != nil {
		_ = e.server.Close()
	}
}
