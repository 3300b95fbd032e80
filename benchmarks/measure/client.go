package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strconv"
)

// connection sends the same request again and again. It parses as little of a
// response as possible, because the client shares the CPU with the server.
type connection struct {
	conn    net.Conn
	reader  *bufio.Reader
	request []byte
}

// dial connects to a target and prepares an operation of it.
func dial(ctx context.Context, t *target, op operation) (*connection, error) {
	r, ok := t.Requests[op]
	if !ok {
		return nil, fmt.Errorf("the server has no operation %q", op)
	}
	var text bytes.Buffer
	method := "GET"
	if r.Body != "" {
		method = "POST"
	}
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, r.Path, t.Address)
	if t.Header != "" {
		fmt.Fprintf(&text, "%s\r\n", t.Header)
	}
	if r.Body != "" {
		fmt.Fprintf(&text, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(r.Body))
	}
	fmt.Fprintf(&text, "\r\n%s", r.Body)
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, err
	}
	return &connection{conn, bufio.NewReaderSize(conn, 16<<10), text.Bytes()}, nil
}

func (c *connection) close() { _ = c.conn.Close() } // all responses were read

// do sends the request and returns the size of the body of the response. A response
// that is not a 2xx is an error.
func (c *connection) do() (size int, err error) {
	if _, err := c.conn.Write(c.request); err != nil {
		return 0, err
	}
	status, err := c.line()
	if err != nil {
		return 0, err
	}
	succeeded := bytes.HasPrefix(status, []byte("HTTP/1.1 2"))
	refusal := ""
	if !succeeded {
		refusal = string(status)
	}
	length, err := c.header()
	if err != nil {
		return 0, err
	}
	if !succeeded {
		text, _ := c.reader.Peek(min(max(length, 0), c.reader.Buffered())) // the first error is reported
		return 0, fmt.Errorf("got %s, want 2xx: %s", refusal, text)
	}
	if length < 0 {
		return c.skipChunks()
	}
	return c.reader.Discard(length)
}

// line reads a line. It is valid until the next read.
func (c *connection) line() ([]byte, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

// header reads the header and returns the length of the body, or -1 if the body has
// chunks.
func (c *connection) header() (length int, err error) {
	for {
		line, err := c.line()
		if err != nil || len(line) == 0 {
			return length, err
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			length = -1
		}
	}
}

// skipChunks reads a body of chunks without a trailer.
func (c *connection) skipChunks() (size int, err error) {
	for {
		line, err := c.line()
		if err != nil {
			return size, err
		}
		length, err := strconv.ParseUint(string(line), 16, 31)
		if err != nil {
			return size, err
		}
		if _, err := c.reader.Discard(int(length) + len("\r\n")); err != nil || length == 0 {
			return size, err
		}
		size += int(length)
	}
}
