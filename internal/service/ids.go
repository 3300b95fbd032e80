package service

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/segmentio/ksuid"
)

// ids generates strictly increasing KSUIDs, so that objects created at the same
// time are listed in the order of their creation. Within the same second, or if
// the clock goes back, each identifier is the successor of the previous one.
type ids struct {
	mu   sync.Mutex
	last ksuid.KSUID
}

func (i *ids) next(now time.Time) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	var payload [16]byte
	_, _ = rand.Read(payload[:]) // never fails
	payload[0] &= 0x7f           // leaves room to grow
	id, err := ksuid.FromParts(now, payload[:])
	if err != nil {
		panic(err) // the payload has the right length
	}
	if !i.last.IsNil() && !id.Time().After(i.last.Time()) {
		id = i.last.Next()
	}
	i.last = id
	return id.String()
}
