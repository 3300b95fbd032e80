package promptrailstest

import (
	"net/netip"
	"syscall"
)

// reserve returns a free address of the loopback. Until free is called, no other
// program gets the port, although connections to it are refused while no one
// listens: the address is bound to a socket that does not listen, and Linux allows
// a listener next to it.
func reserve() (address string, free func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", nil, err
	}
	free = func() { _ = syscall.Close(fd) } // it has no data
	address, err = bind(fd)
	if err != nil {
		free()
		return "", nil, err
	}
	return address, free, nil
}

// bind binds a socket to a free port.
func bind(fd int) (address string, err error) {
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return "", err
	}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: loopback.As4()}); err != nil {
		return "", err
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		return "", err
	}
	at, ok := bound.(*syscall.SockaddrInet4)
	if !ok {
		return "", syscall.EAFNOSUPPORT
	}
	return netip.AddrPortFrom(loopback, uint16(at.Port)).String(), nil //nolint:gosec // a port has 16 bits
}
