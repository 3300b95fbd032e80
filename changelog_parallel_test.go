package promptrails_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// With any number of parallel requests, each entry is returned once and in order.
func TestChangelogPrefetchKeepsTheOrder(t *testing.T) {
	t.Parallel()
	ks := newKeyService(t)
	ctx := t.Context()
	for i := range 40 {
		if made := ks.newKey(); i%15 == 7 {
			must[*promptrails.APIKey](t)(ks.owner.APIKeys.Update(ctx, made.ID, &promptrails.UpdateAPIKeyParams{Name: new("new")}))
		}
	}
	for _, p := range []promptrails.ListChangelogParams{
		{},
		{Order: promptrails.OrderAscending},
		{Order: promptrails.OrderAscending, SequenceFrom: 5},
		{SequenceFrom: 5, SequenceTo: 31},
		{Order: promptrails.OrderAscending, SequenceFrom: 5, SequenceTo: 31},
		{SequenceTo: 1000},
		{SequenceFrom: 1000},
		{Order: promptrails.OrderAscending, SequenceFrom: 1000},
		{Action: promptrails.ActionCreated},
		{ResourceType: promptrails.ResourceAPIKey},
	} {
		p.Limit = 7
		read := func(prefetch int) (sequences []int64) {
			var response promptrails.Response
			for e, err := range ks.owner.Changelog.All(ctx, &p, promptrails.WithPrefetch(prefetch), promptrails.WithResponse(&response)) {
				if err != nil || response.Status != 200 {
					t.Fatalf("All: got status %d, %v; want 200", response.Status, err)
				}
				sequences = append(sequences, e.Sequence)
			}
			return sequences
		}
		want := read(0)
		for _, prefetch := range []int{2, 5, 100} {
			if diff := cmp.Diff(want, read(prefetch)); diff != "" {
				t.Errorf("All with %+v and prefetch %d (-want +got):\n%s", p, prefetch, diff)
			}
		}
	}
	head, err := promptrails.VerifyChangelog(ks.owner.Changelog.All(ctx, &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}, promptrails.WithPrefetch(3)), nil)
	if err != nil || head.Sequence < 40 {
		t.Errorf("VerifyChangelog: got %+v, %v; want a sequence of at least 40", head, err)
	}
}

// WithPrefetch(n) requests at most n pages in addition to the current one. If the
// iteration stops early, no goroutine remains.
func TestChangelogPrefetchLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var requested []string
		held := make(chan struct{})
		respond := func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			mu.Lock()
			requested = append(requested, q.Get("sequence_from"))
			mu.Unlock()
			select {
			case <-held:
			case <-r.Context().Done():
			}
			from, _ := strconv.Atoi(q.Get("sequence_from"))
			to, _ := strconv.Atoi(q.Get("sequence_to"))
			body := ""
			for i := from; i <= to; i++ {
				body += fmt.Sprintf(`,{"id":"e","sequence":%d}`, i)
			}
			if from > 40 {
				status(500, `{"error":{"code":"internal_error","message":"here"}}`)(w, r)
				return
			}
			status(200, `{"data":[`+body[1:]+`]}`)(w, r)
		}
		c := clientOver(t, &scripted{script: []http.HandlerFunc{respond}}, promptrails.WithMaxRetries(0))
		p := &promptrails.ListChangelogParams{Order: promptrails.OrderAscending, ListOptions: promptrails.ListOptions{Limit: 10}}
		checkRequests := func(want ...string) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			slices.Sort(requested)
			if diff := cmp.Diff(want, requested); diff != "" {
				t.Errorf("sequence_from of the requests (-want +got):\n%s", diff)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var reader sync.WaitGroup
		reader.Go(func() {
			for _, err := range c.Changelog.All(ctx, p, promptrails.WithPrefetch(2)) {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("canceled All: got %v, want context.Canceled", err)
				}
			}
		})
		checkRequests("1", "11", "21")
		cancel()
		reader.Wait()

		close(held)
		requested = nil
		for e, err := range c.Changelog.All(t.Context(), p, promptrails.WithPrefetch(2)) {
			if err != nil || e.Sequence != 1 {
				t.Errorf("first entry: got %+v, %v; want sequence 1", e, err)
			}
			break // the other requests may be canceled before they are sent
		}
		synctest.Wait()
		// All yields the entries before a failed page and then the error.
		var last int64
		var failed error
		for e, err := range c.Changelog.All(t.Context(), p, promptrails.WithPrefetch(2)) {
			if err != nil {
				failed = err
				break
			}
			last = e.Sequence
		}
		if last != 40 || !errors.Is(failed, promptrails.ErrServer) {
			t.Errorf("All with a failing page: got last sequence %d and error %v, want 40 and ErrServer", last, failed)
		}
	})
	// A missing entry is an error.
	c := clientOver(t, &scripted{script: []http.HandlerFunc{status(200, `{"data":[{"id":"e","sequence":1},{"id":"e","sequence":3}]}`)}})
	var failed error
	for _, err := range c.Changelog.All(t.Context(), &promptrails.ListChangelogParams{Order: promptrails.OrderAscending}, promptrails.WithPrefetch(2)) {
		failed = err
	}
	if chain, ok := errors.AsType[*promptrails.ChainError](failed); !ok || chain.Sequence != 2 {
		t.Errorf("All with a missing entry: got %v, want a *ChainError at 2", failed)
	}
}
