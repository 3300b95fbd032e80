package main

import (
	"errors"
	"io"
	"log"
	"net/http"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	promptrails "github.com/promptrails-community/promptrails-go"
)

const (
	maxBody   = 1 << 20 // bytes
	maxSeen   = 10_000  // webhook-ids remembered
	maxQueued = 100     // events waiting to be processed
)

// receiver is an [http.Handler] for the webhooks of a channel. It puts each
// event in its queue once, and responds without waiting for the event to be
// processed. A webhook is delivered more than once if a response was lost or if
// someone requested a redelivery; the receiver recognizes such duplicates by
// their webhook-id.
//
// Events in the queue are lost if the program exits. If your program must not
// lose events, store each event and its ID before responding.
type receiver struct {
	secrets []promptrails.Secret // both the old and the new one during a rotation
	queue   chan *promptrails.Event

	mu   sync.Mutex
	seen *lru.Cache[string, struct{}]
}

func newReceiver(secrets ...promptrails.Secret) (*receiver, error) {
	seen, err := lru.New[string, struct{}](maxSeen)
	return &receiver{secrets: secrets, queue: make(chan *promptrails.Event, maxQueued), seen: seen}, err
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	// The signature covers the exact bytes of the body, so read it before
	// decoding anything.
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxBody))
	if err != nil {
		http.Error(w, "the body is too large or incomplete", http.StatusRequestEntityTooLarge)
		return
	}
	event, err := promptrails.ParseWebhook(request.Header, body, r.secrets...)
	switch {
	case errors.Is(err, promptrails.ErrUnauthorized):
		http.Error(w, "invalid signature", http.StatusUnauthorized)
	case err != nil:
		log.Print(err)
		http.Error(w, "invalid event", http.StatusBadRequest)
	case !r.enqueue(event):
		http.Error(w, "queue full; try again later", http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// enqueue puts event in the queue, unless it is a duplicate. It returns false if
// the queue is full.
func (r *receiver) enqueue(event *promptrails.Event) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen.Contains(event.ID) {
		return true
	}
	select {
	case r.queue <- event:
		r.seen.Add(event.ID, struct{}{})
		return true
	default:
		return false
	}
}
