package promptrailstest_test

import (
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/promptrails-community/promptrails-go/promptrailstest"
)

// No other connection gets the port while the server is down.
func TestDownReservesPort(t *testing.T) {
	t.Parallel()
	s, other := promptrailstest.New(t), httptest.NewServer(nil)
	t.Cleanup(other.Close)
	s.Down()
	address, err := net.ResolveTCPAddr("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{LocalAddr: address}).DialContext(t.Context(), "tcp", other.Listener.Addr().String())
	if err == nil {
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Dial from the port of the server: got %v, want EADDRINUSE", err)
	}
	s.Up()
	if _, err := s.Client().Members.Self(t.Context()); err != nil {
		t.Errorf("Members.Self after Up: got %v, want no error", err)
	}
}
