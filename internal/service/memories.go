package service

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/promptrails-community/promptrails-go/internal/store"
)

// MemorySearch is the body of a request that searches an agent's memories.
type MemorySearch struct {
	Query     string   `json:"query"`
	Limit     *int     `json:"limit"`
	Threshold *float64 `json:"threshold"` // minimum fraction of the query's words in a memory
}

// maxSearched is the maximum number of memories that are searched, newest first.
const maxSearched = 1000

// SearchMemories returns the memories of an agent that contain words of the query.
// They are ordered by the number of matching words, then newest first. Like a page,
// the response has fewer than limit if they are large.
func (x *Session) SearchMemories(agentID string, p *MemorySearch) ([]*Resource, error) {
	bad, limit, threshold := faults{}, defaultLimit, 0.0
	bad.add("query", textFault(p.Query, 1, 1000))
	if set(&limit, p.Limit); limit < 1 || limit > maxLimit {
		bad.add("limit", "must be 1 to 100")
	}
	if set(&threshold, p.Threshold); threshold < 0 || threshold > 1 {
		bad.add("threshold", "must be 0 to 1")
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	if _, err := x.agent(agentID); err != nil {
		return nil, err
	}
	var hits []hit
	query := words(p.Query)
	for next := (store.Paging{Limit: maxSearched - 1}); ; {
		next.Size = &store.PageSize{Left: maxPageBytes}
		rows, _, err := x.tx.Resources(memories, agentID, &store.ResourceFilter{}, next)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			document, err := parseDocument(jsontext.Value(r.Document))
			if err != nil {
				return nil, err
			}
			if share := shareOf(query, words(document.text("content"))); share > 0 && share >= threshold {
				hits = append(hits, hit{r, share})
			}
		}
		if hits = best(hits, limit); !next.Size.Full {
			break
		}
		last := rows[len(rows)-1]
		next.Limit -= len(rows)
		next.After = &store.Position{At: last.CreatedAt.UnixMicro(), ID: last.ID}
	}
	found := make([]*Resource, len(hits))
	for i, h := range hits {
		found[i] = served(h.row)
	}
	return found, nil
}

// hit is a memory that contains a share of the words of a query.
type hit struct {
	row   *store.Resource
	share float64
}

// best returns the first hits in their order, at most limit and as many as fit in a
// page.
func best(hits []hit, limit int) []hit {
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.share, a.share) })
	hits = hits[:min(limit, len(hits))]
	size := 0
	for i, h := range hits {
		if size += len(h.row.Document); size > maxPageBytes && i > 0 {
			return slices.Clone(hits[:i]) // the others are garbage
		}
	}
	return slices.Clone(hits)
}

// words returns the set of words in a text, in lower case.
func words(text string) map[string]bool {
	found := map[string]bool{}
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
		found[word] = true
	}
	return found
}

// shareOf returns the fraction of the query's words that are in text.
func shareOf(query, text map[string]bool) float64 {
	n := 0
	for word := range query {
		if text[word] {
			n++
		}
	}
	return float64(n) / float64(max(1, len(query)))
}

// ClearMemories deletes all memories of an agent.
func (x *Session) ClearMemories(agentID string) error {
	agent, err := x.agent(agentID)
	if err != nil {
		return err
	}
	if err := x.mayTouch(agent.CreatedBy); err != nil {
		return err
	}
	nested, err := x.tx.NestedResources(agentID)
	if err != nil {
		return err
	}
	for _, r := range nested {
		if r.Kind != memories {
			continue
		}
		if err := x.tx.DeleteResource(r); err != nil {
			return err
		}
		if err := x.recordDeleted(r); err != nil {
			return err
		}
	}
	return nil
}
