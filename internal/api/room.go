package api

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/promptrails-community/promptrails-go/internal/service"
)

// smallBody is the size up to which the body of a response needs no room. The buffers of
// a connection usually hold it, so that it does not stay in memory.
const smallBody = 64 << 10

// room is the memory for the bodies of responses. A nil room has no bound.
type room struct {
	free *semaphore.Weighted
	size int64
}

func newRoom(size int64) *room {
	if size <= 0 {
		return nil
	}
	return &room{semaphore.NewWeighted(size), size}
}

// place is the part of a room that one response holds.
type place struct {
	room *room
	held int64
}

// fit extends the place to a body of n bytes, if there is room. It can be called again
// for the same response.
func (p *place) fit(n int) bool {
	more := p.need(n) - p.held
	if more <= 0 {
		return true
	}
	if !p.room.free.TryAcquire(more) {
		return false
	}
	p.held += more
	return true
}

// resize is fit for a place that may be too large.
func (p *place) resize(n int) bool {
	if less := p.held - p.need(n); less > 0 {
		p.room.free.Release(less)
		p.held -= less
	}
	return p.fit(n)
}

// wait waits until there is room for a body of n bytes, or the time of the request is over.
// The caller must not hold the body.
func (p *place) wait(r *http.Request, n int) error {
	p.leave() // a response that waits holds nothing
	need := p.need(n)
	if err := p.room.free.Acquire(r.Context(), need); err != nil {
		return service.Crowded(err)
	}
	p.held = need
	return nil
}

// leave frees the place.
func (p *place) leave() {
	if p.held > 0 {
		p.room.free.Release(p.held)
		p.held = 0
	}
}

// need returns the room for n bytes. A body that is larger than the room needs all of it.
func (p *place) need(n int) int64 {
	if p.room == nil || n <= smallBody {
		return 0
	}
	return min(int64(n), p.room.size)
}

// The client must receive each part of a body in time, so that one that does not read keeps
// no room, and does not count as a request. The buffers of net/http hold a tiny body.
const (
	tinyBody  = 4 << 10
	partBytes = 64 << 10
	partTime  = 15 * time.Second
)

// send writes a body of JSON. It gives up if the client does not receive a part in
// time. The timeout of the server applies as well.
func send(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if len(body) <= tinyBody {
		_, _ = w.Write(body) // a closed connection is the client's concern
		return
	}
	var end time.Time
	if server, ok := r.Context().Value(http.ServerContextKey).(*http.Server); ok && server.WriteTimeout > 0 {
		end = exchangeOf(w).started.Add(server.WriteTimeout)
	}
	connection := http.NewResponseController(w)
	for part := range slices.Chunk(body, partBytes) {
		next := time.Now().Add(partTime)
		if !end.IsZero() && end.Before(next) {
			next = end
		}
		_ = connection.SetWriteDeadline(next) // until the end of the request; in-process, a write does not wait
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}
