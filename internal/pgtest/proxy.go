package pgtest

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// Proxy forwards connections to a server, and closes one of them at a chosen point.
type Proxy struct {
	URL    string
	target string
	cut    atomic.Pointer[string]
}

// NewProxy starts a proxy for the server of a URL. It is closed after the test.
func NewProxy(t testing.TB, dsn string) *Proxy {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // returns at once
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &Proxy{target: u.Host}
	u.Host = l.Addr().String()
	p.URL = u.String()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed
			}
			go p.forward(client)
		}
	}()
	return p
}

// CutAfter closes the connection on which the server next completes a command, such as
// COMMIT. The client does not get the response.
func (p *Proxy) CutAfter(command string) { p.cut.Store(&command) }

// IsCut reports whether the connection was closed.
func (p *Proxy) IsCut() bool { return p.cut.Load() == nil }

func (p *Proxy) forward(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", p.target) //nolint:noctx // on the loopback
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	go func() {
		_, _ = io.Copy(server, client) // until one of them is closed
		_ = server.Close()
	}()
	for {
		message, err := readMessage(server)
		if err != nil {
			return
		}
		if command := p.cut.Load(); command != nil && message[0] == 'C' && strings.HasPrefix(string(message[5:]), *command) && p.cut.CompareAndSwap(command, nil) {
			return
		}
		if _, err := client.Write(message); err != nil {
			return
		}
	}
}

// readMessage returns a message of a server: its type, length and contents. See
// https://www.postgresql.org/docs/current/protocol-message-formats.html.
func readMessage(server io.Reader) ([]byte, error) {
	message := make([]byte, 5)
	if _, err := io.ReadFull(server, message); err != nil {
		return nil, err
	}
	contents := make([]byte, binary.BigEndian.Uint32(message[1:])-4)
	_, err := io.ReadFull(server, contents)
	return append(message, contents...), err
}
