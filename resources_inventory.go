package promptrails

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
)

// inventoryWidth is the number of concurrent requests. If a server with a lower
// limit returns 429, the request is retried after its Retry-After.
const inventoryWidth = 8

// Inventory counts the resources of each kind; memories and guardrails are
// counted over all agents. A kind that the server does not support is absent
// from the map. An empty collection has the count 0. If the server does not
// return the total of a collection, Inventory reads all of its pages.
//
// It requires the read scope of every kind, or the admin role. It makes at
// least one request per kind and two per agent. It returns the first error
// other than that of an unsupported kind.
func (s *ResourcesService) Inventory(ctx context.Context, opts ...RequestOption) (map[ResourceKind]int, error) {
	if ctx == nil {
		return nil, invalid("ctx", "must not be nil; use context.Background")
	}
	inv := &inventory{service: s, opts: append(slices.Clip(opts), WithResponse(nil)), counts: map[ResourceKind]int{KindMemories: 0, KindGuardrails: 0}, absent: map[ResourceKind]error{}}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inventoryWidth)
	count := func(kind ResourceKind) {
		group.Go(func() error { return recovered(func() error { return inv.count(ctx, kind) }) })
	}
	for _, kind := range ResourceKinds() {
		if !kind.IsNested() {
			count(kind)
		}
	}
	var failed error
	for agent, err := range s.All(ctx, KindAgents, nil, inv.opts...) {
		if err != nil {
			failed = err
			break
		}
		count(KindMemories.Of(agent.ID))
		count(KindGuardrails.Of(agent.ID))
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if failed != nil {
		if !routeMissing(failed) {
			return nil, failed
		}
		inv.absent[KindMemories], inv.absent[KindGuardrails] = failed, failed
	}
	return inv.result()
}

// inventory is the state of [ResourcesService.Inventory].
type inventory struct {
	service *ResourcesService
	opts    []RequestOption

	mu     sync.Mutex
	counts map[ResourceKind]int
	absent map[ResourceKind]error // kinds that the server does not support
}

func (inv *inventory) count(ctx context.Context, kind ResourceKind) error {
	n, err := inv.total(ctx, kind)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	switch {
	case routeMissing(err):
		inv.absent[kind.template()] = err
	case kind.IsNested() && errors.Is(err, ErrNotFound):
		// The agent and its memories were deleted in the meantime.
	case err != nil:
		return err
	default:
		inv.counts[kind.template()] += n
	}
	return nil
}

// total returns the number of items in a collection. It uses the total of the
// first page if there is one.
func (inv *inventory) total(ctx context.Context, kind ResourceKind) (n int, err error) {
	page, err := inv.service.List(ctx, kind, &ListResourcesParams{ListOptions: ListOptions{Limit: 1}}, inv.opts...)
	if err != nil || page.Meta.Total > 0 || len(page.Items) == 0 && page.Meta != (Meta{}) {
		return pageTotal(page), err
	}
	for _, err := range inv.service.All(ctx, kind, nil, inv.opts...) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func pageTotal(page *Page[Resource]) int {
	if page == nil {
		return 0
	}
	return page.Meta.Total
}

// result returns the counts. If the server supports no kind at all, it is
// probably the wrong server, and result returns an error.
func (inv *inventory) result() (counts map[ResourceKind]int, err error) {
	for kind, missing := range inv.absent {
		delete(inv.counts, kind)
		err = missing
	}
	if len(inv.counts) == 0 {
		return nil, err
	}
	return inv.counts, nil
}

// routeMissing reports whether err is a JSON response for a route that does not
// exist. A 404 for a missing workspace or agent does not count.
func routeMissing(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.json {
		return false
	}
	message := strings.ToLower(e.Message)
	return e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusNotFound && !strings.Contains(message, "workspace") && !strings.Contains(message, "agent")
}
