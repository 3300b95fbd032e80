package embedded

import (
	"log/slog"
	"net/http"
	"time"
)

// The timeouts and the limit of NewServer.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	sendTimeout       = 90 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// NewServer returns a server of the service that listens on addr, such as
// 127.0.0.1:8080. It drops clients that are slow:
//
//   - ReadHeaderTimeout is 10 seconds, for the header of a request.
//   - ReadTimeout is 30 seconds, for the header and the body, which has at most 1 MiB.
//   - WriteTimeout is Limits.RequestTime and 90 seconds, by default 2 minutes, from the
//     header of a request until the client has received the response. A page of 4 MiB
//     takes 90 seconds at 47 KB/s. No response is longer: a changelog is exported in
//     pages. If RequestTime has no limit, there is no WriteTimeout.
//   - IdleTimeout is 2 minutes, for the next request of a connection.
//   - MaxHeaderBytes is 64 KiB.
//
// In any server, the service drops a client that does not receive 64 KiB of a response, or
// the rest of it, within 15 seconds. The server logs its errors with Config.Logger at level
// warn. Call Shutdown of the server before Close of the service.
func NewServer(service *Service, addr string) *http.Server {
	server := &http.Server{
		Addr:              addr,
		Handler:           service,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(service.logger.Handler(), slog.LevelWarn),
	}
	if service.requestTime > 0 {
		server.WriteTimeout = service.requestTime + sendTimeout
	}
	return server
}
