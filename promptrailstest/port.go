package promptrailstest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// Down stops the server, as if its process had been killed: connections are closed
// without a response, and new ones are refused, until [Server.Up]. Requests that are
// running may still be carried out. In-process clients, such as [Server.Owner], can
// call the service meanwhile.
func (s *Server) Down() {
	s.port.close()
	s.transport.CloseIdleConnections()
}

// Up starts the server again after [Server.Down], with the same URL.
func (s *Server) Up() {
	s.t.Helper()
	if err := s.port.open(); err != nil {
		s.t.Errorf("Up: %v", err)
	}
}

// port is a port of the loopback that can be closed and opened again.
type port struct {
	address   string
	newServer func() *http.Server
	free      func() // ends the reservation of the address

	mu     sync.Mutex
	server *http.Server  // nil while closed
	served chan struct{} // closed when server does not accept connections anymore
}

// openPort opens a free port.
func openPort(newServer func() *http.Server) (*port, error) {
	address, free, err := reserve()
	if err != nil {
		return nil, fmt.Errorf("reserve a port: %w", err)
	}
	p := &port{address: address, newServer: newServer, free: free}
	if err := p.open(); err != nil {
		free()
		return nil, err
	}
	return p, nil
}

// release closes the port for good.
func (p *port) release() {
	p.close()
	p.free()
}

func (p *port) open() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		return nil
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", p.address)
	if err != nil {
		return err
	}
	p.address = listener.Addr().String()
	server, served := p.newServer(), make(chan struct{})
	p.server, p.served = server, served
	go func() {
		defer close(served)
		_ = server.Serve(listener) // until it is closed
	}()
	return nil
}

func (p *port) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		return
	}
	_ = p.server.Close() // the connections are dropped in any case
	<-p.served
	_ = p.server.Close() // those that were accepted meanwhile
	p.server = nil
}
