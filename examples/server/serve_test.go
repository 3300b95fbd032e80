package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

// A signal stops the server after its running requests: it accepts no other connection,
// and exits with 0. The second signal kills it.
func TestSignals(t *testing.T) {
	t.Parallel()
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := start(t, dir)
			call := s.begin(t, dir)
			s.Signal(t, signal)
			s.logs(t, "stopping")
			for { // the listener is closed soon after
				conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
				if err != nil {
					break
				}
				_ = conn.Close()
			}
			if got := call.finish(t); got != http.StatusCreated {
				t.Errorf("running request after the signal: got status %d, want 201", got)
			}
			s.end(t)
		})
	}
	t.Run("second", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		s := start(t, dir, "-grace", "1h")
		s.begin(t, dir)
		s.Signal(t, syscall.SIGTERM)
		s.logs(t, "stopping")
		ended := make(chan struct{})
		go func() { _ = s.Wait(); close(ended) }()
		for running := true; running; {
			_ = s.Process.Process.Signal(syscall.SIGTERM) // fails after the end
			select {
			case <-ended:
				running = false
			case <-time.After(time.Millisecond):
			}
		}
		if status, ok := s.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGTERM {
			t.Errorf("server after two signals: got %v, want it killed by the signal", s.ProcessState)
		}
	})
	t.Run("grace", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		s := start(t, dir, "-grace", "1ms")
		s.begin(t, dir)
		s.Signal(t, syscall.SIGTERM)
		if rest := s.End(t, exitFailed); !strings.Contains(rest, "server: requests were interrupted after 1ms") {
			t.Errorf("output after the grace period: got %q, want an error about interrupted requests", rest)
		}
	})
}

// call is a request that is running, because its body is not complete.
type call struct {
	conn      net.Conn
	responses *bufio.Reader
	body      string
}

// begin begins a request. When it returns, the service is reading its body.
func (s *running) begin(t *testing.T, dir string) *call {
	t.Helper()
	token := processtest.Run(t, dir, nil, "user", "add", "ada@example.com").Succeeds(t)
	host := strings.TrimPrefix(s.url, "http://")
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &call{conn, bufio.NewReader(conn), `{"name":"Research","slug":"research"}`}
	_, err = fmt.Fprintf(conn, "POST /api/v1/workspaces HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", host, token, len(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if got := c.status(t); got != http.StatusContinue {
		t.Fatalf("response to Expect: got status %d, want 100", got)
	}
	return c
}

// status reads a response.
func (c *call) status(t *testing.T) int {
	t.Helper()
	response, err := http.ReadResponse(c.responses, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func (c *call) finish(t *testing.T) int {
	t.Helper()
	if _, err := io.WriteString(c.conn, c.body); err != nil {
		t.Fatal(err)
	}
	return c.status(t)
}

// With a certificate the server speaks only HTTPS. -health accepts that certificate.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	roots := x509.NewCertPool()
	roots.AddCert(certify(t, dir, "a"))
	certify(t, dir, "b")
	s := start(t, dir, "-tls-cert", "a.pem", "-tls-key", "a.key")
	if !strings.HasPrefix(s.url, "https://127.0.0.1:") {
		t.Fatalf("url: got %s, want https", s.url)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
	if got := get(t, client, s.url+"/readyz", ""); got.status != http.StatusOK || got.protocol != 2 {
		t.Errorf("readyz: got status %d, HTTP/%d, want 200, HTTP/2", got.status, got.protocol)
	}
	if got := get(t, http.DefaultClient, "http"+strings.TrimPrefix(s.url, "https")+"/readyz", ""); got.status != http.StatusBadRequest {
		t.Errorf("HTTP request to the HTTPS port: got status %d, want 400", got.status)
	}
	health := []string{"-health", "-addr", strings.TrimPrefix(s.url, "https://")}
	processtest.Run(t, dir, nil, append(health, "-tls-cert", "a.pem", "-tls-key", "a.key")...).Succeeds(t)
	processtest.Run(t, dir, nil, append(health, "-tls-cert", "b.pem", "-tls-key", "b.key")...).Fails(t, exitFailed, "another certificate")
	processtest.Run(t, dir, nil, health...).Fails(t, exitFailed, "400 Bad Request")
	s.stop(t)
	processtest.Run(t, dir, nil, health...).Fails(t, exitFailed, "refused")
}

// certify writes a key and a certificate for 127.0.0.1 that it has signed itself.
func certify(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	certificate, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".pem": {Type: "CERTIFICATE", Bytes: certificate}, name + ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(certificate)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// The overview is HTML for a browser and text for others. The documentation loads only
// from the server. Paths of the API are not redirected.
func TestPages(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "-dsn", "")
	for accept, want := range map[string]string{"text/html,*/*": `<a href="/docs/">`, "*/*": "/docs/         the interactive documentation"} {
		if got := get(t, http.DefaultClient, s.url+"/", accept).body; !strings.Contains(got, want) {
			t.Errorf("overview for %s: got\n%s\nwant it to contain %q", accept, got, want)
		}
	}
	docs := get(t, http.DefaultClient, s.url+"/docs", "text/html")
	if !strings.Contains(docs.header.Get("Content-Security-Policy"), "default-src 'self'") || strings.Contains(docs.body, `src="http`) {
		t.Errorf("documentation: got %+v, want a policy, and no other server", docs)
	}
	files := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(docs.body, -1)
	if len(files) < 3 {
		t.Errorf("documentation: got\n%s\nwant a script and a style sheet", docs.body)
	}
	for _, file := range files {
		if got := get(t, http.DefaultClient, s.url+file[1], ""); got.status != http.StatusOK {
			t.Errorf("%s: got status %d, want 200", file[1], got.status)
		}
	}
	for path, want := range map[string]int{"/api/v1//me": 404, "/api/v1/me": 401, "/healthz": 200, "/openapi.json": 200, "/nothing": 404} {
		if got := get(t, http.DefaultClient, s.url+path, ""); got.status != want || got.path != path {
			t.Errorf("%s: got status %d from %s, want %d, not redirected", path, got.status, got.path, want)
		}
	}
	if record := s.logs(t, "promptrails: request"); record["status"] == nil || record["level"] != "INFO" {
		t.Errorf("access log: got %v, want a record with the status", record)
	}
}

// Prometheus reads metrics of the service and of the process at -addr, or at an address
// of their own.
func TestMetrics(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir(), "-dsn", "")
	get(t, http.DefaultClient, s.url+"/api/v1/me", "")
	got := get(t, http.DefaultClient, s.metrics, "")
	for _, want := range []string{`http_server_request_duration_seconds_count{`, `http_route="/api/v1/me"`, `http_response_status_code="401"`, "promptrails_database_size_bytes", "go_goroutines"} {
		if !strings.Contains(got.body, want) {
			t.Errorf("metrics: got status %d and\n%s\nwant %s in it", got.status, got.body, want)
		}
	}

	s = start(t, t.TempDir(), "-dsn", "", "-metrics-addr", "127.0.0.1:0")
	if got := get(t, http.DefaultClient, s.url+"/metrics", ""); got.status != http.StatusNotFound {
		t.Errorf("metrics at -addr with -metrics-addr: got status %d, want 404", got.status)
	}
	if got := get(t, http.DefaultClient, s.metrics, ""); got.status != http.StatusOK || !strings.Contains(got.body, "promptrails_database_size_bytes") {
		t.Errorf("metrics at %s: got status %d and\n%s\nwant the metrics", s.metrics, got.status, got.body)
	}
	if got := get(t, http.DefaultClient, s.metrics+"x", ""); got.status != http.StatusNotFound {
		t.Errorf("%sx: got status %d, want 404", s.metrics, got.status)
	}
}

// The log is text if a setting says so.
func TestLog(t *testing.T) {
	t.Parallel()
	s := processtest.Start(t, t.TempDir(), []string{"PROMPTRAILS_LOG_FORMAT=text", "PROMPTRAILS_LOG_LEVEL=warn"}, "-addr", "127.0.0.1:0", "-log-level", "info", "-dsn", "")
	s.Until(t, "level=INFO msg=listening url=http://127.0.0.1:")
}

// page is a response, read to its end.
type page struct {
	status, protocol int
	path             string // after redirects
	header           http.Header
	body             string
}

func get(t *testing.T, client *http.Client, url, accept string) page {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", accept)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	if err = errors.Join(err, response.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return page{response.StatusCode, response.ProtoMajor, response.Request.URL.Path, response.Header, string(text)}
}
