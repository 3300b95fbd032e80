package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/promptrails-community/promptrails-go/embedded"
)

// serve serves until ctx is done. It then waits for running requests.
func (p *program) serve(ctx context.Context) (err error) {
	metrics, metricsHandler, err := newMetrics()
	if err != nil {
		return err
	}
	service, err := p.open(ctx, embedded.Config{Logger: p.log, MeterProvider: metrics})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.addr)
	if err != nil {
		return fmt.Errorf("%s: %w", named("addr"), err)
	}
	server, metricsURL := embedded.NewServer(service, ""), ""
	if p.metricsAddr == "" {
		server.Handler = newHandler(service, metricsHandler)
	} else {
		server.Handler = newHandler(service, nil)
		separate := embedded.NewServer(service, "")
		pages := http.NewServeMux()
		pages.Handle("GET "+metricsPath, metricsHandler)
		separate.Handler = pages
		atMetrics, listenErr := (&net.ListenConfig{}).Listen(ctx, "tcp", p.metricsAddr)
		if listenErr != nil {
			return errors.Join(fmt.Errorf("%s: %w", named("metrics-addr"), listenErr), listener.Close())
		}
		go func() { _ = separate.Serve(atMetrics) }() // until Close
		defer func() { err = errors.Join(err, separate.Close()) }()
		metricsURL = "http://" + atMetrics.Addr().String() + metricsPath
	}
	scheme := "http"
	if p.certificate != nil {
		scheme = "https"
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*p.certificate}}
	}
	served := make(chan error, 1)
	go func() {
		if p.certificate != nil {
			served <- server.ServeTLS(listener, "", "")
		} else {
			served <- server.Serve(listener)
		}
	}()
	url := scheme + "://" + listener.Addr().String()
	p.log.InfoContext(ctx, "listening", "url", url, "docs", url+docsPath, "metrics", cmp.Or(metricsURL, url+metricsPath))
	p.greet(ctx, service)
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return p.shutDown(ctx, server)
	}
}

// greet logs how to create the first user.
func (p *program) greet(ctx context.Context, service *embedded.Service) {
	for _, err := range service.Users(ctx) {
		if err == nil {
			return
		}
	}
	if p.dsn != "" {
		p.log.WarnContext(ctx, "there are no users; to create one and print an access token, run: server user add EMAIL, with the same settings")
	}
}

// shutDown stops accepting requests, and waits for the running ones.
func (p *program) shutDown(ctx context.Context, server *http.Server) error {
	p.log.InfoContext(ctx, "stopping; a second signal ends the program immediately", "grace", p.grace.String())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.grace)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("requests were interrupted after %s; see %s", p.grace, named("grace")), server.Close())
	}
	p.log.InfoContext(ctx, "stopped")
	return nil
}
