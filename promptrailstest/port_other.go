//go:build !linux

package promptrailstest

// reserve returns the address of any free port. It is not reserved: in the rare case
// that another program gets it after Down, Up fails the test.
func reserve() (address string, free func(), err error) {
	return "127.0.0.1:0", func() {}, nil
}
