package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The modes of the receiver.
const (
	receives = "receives"
	down     = "down" // closes each connection
	fails    = "status 500"
	slow     = "slow" // responds after a second
)

// maxRetired bounds the approvals of which a late repeat of the event is known.
const maxRetired = 20_000

// event is a received event.
type event struct {
	id, workspace string
	retired       bool
}

// receiver receives the notifications of all rooms.
type receiver struct {
	server *httptest.Server

	mu       sync.Mutex
	mode     string
	secrets  map[string]*standardwebhooks.Webhook // by path
	events   map[string]event                     // by approval
	retired  []string                             // the latest approvals that were deleted after their event
	problems []string
	count    int // of requests with a new event
	repeats  int // of requests with a known event
}

func newReceiver() *receiver {
	r := &receiver{mode: receives, secrets: map[string]*standardwebhooks.Webhook{}, events: map[string]event{}}
	r.server = httptest.NewServer(r)
	return r
}

// expect sets the secret of a path.
func (r *receiver) expect(path string, secret promptrails.Secret) {
	w, err := standardwebhooks.NewWebhook(secret.Reveal())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets[path] = w
	if err != nil {
		r.problems = append(r.problems, err.Error())
	}
}

// become sets the mode.
func (r *receiver) become(mode string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mode = mode
}

// ServeHTTP receives a notification.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	mode := r.mode
	r.mu.Unlock()
	switch mode {
	case down:
		panic(http.ErrAbortHandler)
	case fails:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case slow:
		time.Sleep(time.Second)
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the service was killed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if problem := r.note(request.URL.Path, request.Header, body); problem != "" {
		r.problems = append(r.problems, problem)
	}
	w.WriteHeader(http.StatusNoContent)
}

// note notes an event. It ignores the time of the signature, because the clock of the
// service is not that of the receiver. r.mu is held.
func (r *receiver) note(path string, h http.Header, body []byte) (problem string) {
	secret := r.secrets[path]
	if secret == nil {
		return "a notification was sent to the path " + path
	}
	if err := secret.VerifyIgnoringTimestamp(body, h); err != nil {
		return "signature of a notification: " + err.Error()
	}
	var e promptrails.Event
	if err := json.Unmarshal(body, &e); err != nil {
		return "notification: " + err.Error()
	}
	data, ok := e.Data.(*promptrails.ExecutionEvent)
	if !ok {
		return fmt.Sprintf("notification: got %s, want an event of an approval", body)
	}
	id := h.Get("webhook-id")
	switch known := r.events[data.ApprovalID].id; known {
	case "":
		r.events[data.ApprovalID] = event{id: id, workspace: e.WorkspaceID}
		r.count++
	case id:
		r.repeats++
	default:
		return fmt.Sprintf("the approval %s has the events %s and %s, want one", data.ApprovalID, known, id)
	}
	return ""
}

// has reports whether the event of an approval was received.
func (r *receiver) has(approval string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events[approval].id != ""
}

// retire notes that an approval is about to be deleted.
func (r *receiver) retire(approval string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retireLocked(approval)
}

// retireLocked is retire. r.mu is held.
func (r *receiver) retireLocked(approval string) {
	e := r.events[approval]
	if e.retired {
		return
	}
	e.retired = true
	r.events[approval] = e
	r.retired = append(r.retired, approval)
	if len(r.retired) > maxRetired {
		delete(r.events, r.retired[0])
		r.retired = r.retired[1:]
	}
}

// unknown returns the approvals of a workspace that have an event, but do not exist and
// were not deleted.
func (r *receiver) unknown(workspace string, existing []found) (approvals []string) {
	ids := map[string]bool{}
	for _, f := range existing {
		ids[f.id] = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for approval, e := range r.events {
		if e.workspace == workspace && !e.retired && !ids[approval] {
			approvals = append(approvals, approval)
			r.retireLocked(approval) // it is reported once
		}
	}
	return approvals
}
