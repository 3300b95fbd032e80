package service

import (
	"crypto/rand"
	"sync"
	"time"

	"github.com/segmentio/ksuid"
)

// ids makes KSUIDs that only grow, so that objects of one moment are listed in
// the order of their creation: within a second, and while the clock stands still
// or goes back, each is the successor of the one before.
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
