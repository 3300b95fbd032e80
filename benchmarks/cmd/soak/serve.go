package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/benchmarks/internal/process"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// The environment variables of the child process. A DSN is not an argument, because
// other users can read the arguments of a process.
const (
	roleVariable  = "SOAK_ROLE"
	dsnVariable   = "SOAK_DSN"
	clockVariable = "SOAK_CLOCK" // the difference of the service's clock
)

// addresses are those of the service and of its control.
type addresses struct{ Service, Control string }

// play runs the service in the child process, until the parent closes the input.
func play(ctx context.Context) (err error) {
	s := new(served)
	ahead, err := time.ParseDuration(os.Getenv(clockVariable))
	if err != nil {
		return err
	}
	s.ahead.Store(int64(ahead))
	s.service, err = embedded.Open(ctx, embedded.Config{
		DSN:                   os.Getenv(dsnVariable),
		MasterKey:             bytes.Repeat([]byte{7}, 32), // a later process opens the same database
		DefaultPlan:           promptrails.PlanEnterprise,
		AllowLoopbackWebhooks: true,
		AuthenticateUser:      authenticate,
		Logger:                slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError + 1})),
		Now:                   func() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) },
	})
	if err != nil {
		return err
	}
	server := embedded.NewServer(s.service, "")
	server.ConnState = s.count
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, s.service.Close())
	}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	err = process.Serve(ctx, s.control(), func(control string) any {
		return addresses{listener.Addr().String(), control}
	})
	err = errors.Join(err, server.Close())
	if e := <-done; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, s.service.Close())
}

// authenticate accepts each user. The token has the email address.
func authenticate(_ context.Context, token string) (email, name string, err error) {
	email, ok := strings.CutPrefix(token, userPrefix)
	if !ok {
		return "", "", promptrails.ErrUnauthorized
	}
	return email, email, nil
}

// userPrefix is the beginning of the tokens of users.
const userPrefix = "soak-"

// served is the service of the child process.
type served struct {
	service     *embedded.Service
	ahead       atomic.Int64
	connections atomic.Int64
}

func (s *served) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.connections.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.connections.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}

// control is the handler of the requests of the parent process.
func (s *served) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /usage", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, state{s.connections.Load(), readUsage()}, nil)
	})
	mux.HandleFunc("GET /clock", func(w http.ResponseWriter, r *http.Request) {
		ahead, err := time.ParseDuration(r.FormValue("ahead"))
		s.ahead.Store(int64(ahead))
		respond(w, ahead, err)
	})
	mux.HandleFunc("GET /limit", func(w http.ResponseWriter, r *http.Request) {
		on := r.FormValue("on") == "true"
		respond(w, on, limitFiles(on))
	})
	mux.HandleFunc("GET /check", func(w http.ResponseWriter, r *http.Request) {
		report, err := s.service.Check(r.Context(), nil)
		respond(w, report, err)
	})
	return mux
}

// state is the response to /usage.
type state struct {
	Connections int64
	Usage       usage
}

func respond(w http.ResponseWriter, v any, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = json.NewEncoder(w).Encode(v) // the parent reports the error
}
