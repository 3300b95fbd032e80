package promptrails

import (
	"context"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// inventoryWidth is how many counts are asked for at once. What a server limits
// further, it answers with 429, and the call is repeated when it says.
const inventoryWidth = 8

// Inventory counts what a workspace has of each kind, memories and guardrails
// over all agents. It takes the scopes that read the kinds, or the role admin,
// and one call a kind, and two an agent. The first error ends it.
func (s *ResourcesService) Inventory(ctx context.Context, opts ...RequestOption) (map[ResourceKind]int, error) {
	var mu sync.Mutex
	counts := map[ResourceKind]int{}
	opts = append(slices.Clip(opts), WithResponse(nil)) // there is no one response
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(inventoryWidth)
	count := func(kind ResourceKind) {
		group.Go(func() error {
			page, err := s.List(ctx, kind, &ListResourcesParams{ListOptions: ListOptions{Limit: 1}}, opts...)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			counts[kind.template()] += page.Meta.Total
			return nil
		})
	}
	for _, kind := range ResourceKinds() {
		if !kind.IsNested() {
			count(kind)
		}
	}
	var failed error
	for agent, err := range s.All(ctx, KindAgents, nil, opts...) {
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
		return nil, failed
	}
	for _, kind := range ResourceKinds() {
		counts[kind] += 0 // a kind that has nothing to count is there too
	}
	return counts, nil
}
