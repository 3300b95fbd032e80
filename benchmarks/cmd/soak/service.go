package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/process"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// service is the child process with the service.
type service struct {
	dsn   string
	ahead time.Duration // the difference of its clock

	process *process.Process
	addresses
}

// start starts the process.
func (s *service) start(ctx context.Context) error {
	cmd, err := process.Own(ctx, roleVariable+"=service", dsnVariable+"="+s.dsn, clockVariable+"="+s.ahead.String())
	if err != nil {
		return err
	}
	s.process, err = process.Start(cmd, &s.addresses)
	return err
}

// step sets the clock of the service.
func (s *service) step(ctx context.Context, ahead time.Duration) error {
	s.ahead = ahead
	return s.ask(ctx, "/clock?ahead="+url.QueryEscape(ahead.String()), new(time.Duration))
}

// limit limits the size of the files of the service, or removes the limit.
func (s *service) limit(ctx context.Context, on bool) error {
	return s.ask(ctx, fmt.Sprint("/limit?on=", on), new(bool))
}

// usage waits until the service has closed all its connections, and returns its usage.
// Requests that were sent before are completed then.
func (s *service) usage(ctx context.Context) (usage, error) {
	ctx, cancel := context.WithTimeout(ctx, quietWait)
	defer cancel()
	for {
		var now state
		if err := s.ask(ctx, "/usage", &now); err != nil {
			return usage{}, err
		}
		if now.Connections == 0 {
			return now.Usage, nil
		}
		select {
		case <-ctx.Done():
			return usage{}, fmt.Errorf("the service has %d connections that were closed", now.Connections)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// quietWait is more than the time that the service waits for its database.
const quietWait = time.Minute

// check checks the database.
func (s *service) check(ctx context.Context) (*embedded.CheckReport, error) {
	report := new(embedded.CheckReport)
	return report, s.ask(ctx, "/check", report)
}

// ask sends a request to the control of the process.
func (s *service) ask(ctx context.Context, path string, target any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Control+path, nil)
	if err != nil {
		return err
	}
	request.Close = true // the process may be killed before the next request
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(path + ": " + string(text))
	}
	return json.Unmarshal(text, target)
}
