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
	mostBytes  = 1 << 20
	mostSeen   = 10_000 // webhook-ids that are remembered
	mostQueued = 100    // events that wait to be dealt with
)

// receiver takes the webhooks of a channel. It answers at once and hands each
// event on through its queue, once: what is sent again, since an answer was
// lost or somebody asked for it, it knows by its webhook-id. What waits in the
// queue ends with the program: one that must lose nothing stores the event, and
// its id, before it answers.
type receiver struct {
	secrets []promptrails.Secret // two, while one takes the place of the other
	queue   chan *promptrails.Event

	mu   sync.Mutex
	seen *lru.Cache[string, struct{}]
}

func newReceiver(secrets ...promptrails.Secret) (*receiver, error) {
	seen, err := lru.New[string, struct{}](mostSeen)
	return &receiver{secrets: secrets, queue: make(chan *promptrails.Event, mostQueued), seen: seen}, err
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	// The signature is over the body byte for byte, so it is read as it came.
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, mostBytes))
	if err != nil {
		http.Error(w, "the body is too long, or broke off", http.StatusRequestEntityTooLarge)
		return
	}
	event, err := promptrails.ParseWebhook(request.Header, body, r.secrets...)
	switch {
	case errors.Is(err, promptrails.ErrUnauthorized):
		http.Error(w, "the request is not signed by PromptRails", http.StatusUnauthorized)
	case err != nil:
		log.Print(err)
		http.Error(w, "the request is no event", http.StatusBadRequest)
	case !r.take(event):
		http.Error(w, "too much is waiting; send it again", http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// take puts an event into the queue, unless it has been there. It reports
// whether there was room.
func (r *receiver) take(event *promptrails.Event) bool {
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
