package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// checkHealth requests /readyz of the server at -addr, for a container without other
// programs.
func (p *program) checkHealth(ctx context.Context) error {
	host, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	url := "http://" + net.JoinHostPort(host, port) + "/readyz"
	client := &http.Client{Timeout: 5 * time.Second}
	if p.certificate != nil {
		url = "https" + url[len("http"):]
		client.Transport = &http.Transport{TLSClientConfig: p.ownServer()}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1000)) // for the error only
		return fmt.Errorf("%s: %s: %s", url, response.Status, bytes.TrimSpace(body))
	}
	return nil
}

// ownServer accepts the certificate of this server, and no other. Its names are not
// compared, because the server is requested by its address.
func (p *program) ownServer() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection compares the certificate
		VerifyConnection: func(state tls.ConnectionState) error {
			if !bytes.Equal(state.PeerCertificates[0].Raw, p.certificate.Certificate[0]) {
				return errors.New("the server has another certificate")
			}
			return nil
		},
	}
}
