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

// inventoryWidth is how many counts are requested at once. A server that limits
// further returns 429, and the call is repeated when it says.
const inventoryWidth = 8

// Inventory counts what a workspace has of each kind, memories and guardrails
// over all agents. A kind that the server does not have is not in the map, while
// one with nothing to count is 0. A collection whose total the server does not
// say is read to its end.
//
// It needs the scopes that read the kinds, or the role admin, and makes at least
// one call a kind, and two an agent. The first other error ends it.
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

// inventory is what is counted so far.
type inventory struct {
	service *ResourcesService
	opts    []RequestOption

	mu     sync.Mutex
	counts map[ResourceKind]int
	absent map[ResourceKind]error // kinds that the server does not have
}

func (inv *inventory) count(ctx context.Context, kind ResourceKind) error {
	n, err := inv.total(ctx, kind)
	inv.mu.Lock()
	defer inv.mu.Unlock()
	switch {
	case routeMissing(err):
		inv.absent[kind.template()] = err
	case kind.IsNested() && errors.Is(err, ErrNotFound):
		// The agent was deleted meanwhile, and its memories with it.
	case err != nil:
		return err
	default:
		inv.counts[kind.template()] += n
	}
	return nil
}

// total returns how many items a collection has, by its total if it has one.
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

// result returns the counts, or an error if the server has no kind at all: then
// it is not the server that was meant.
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

// routeMissing reports whether a server says, in JSON and so in words of its own,
// that it has no such route. That the workspace or the agent does not exist is
// another 404.
func routeMissing(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.json {
		return false
	}
	said := strings.ToLower(e.Message)
	return e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusNotFound && !strings.Contains(said, "workspace") && !strings.Contains(said, "agent")
}
