package main

import (
	"context"
	"encoding/json"
	"iter"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/benchmarks/internal/documents"
)

// prefetch is the number of pages of the rows with WithPrefetch.
const prefetch = 8

// newRows returns all rows, in the order of the tables.
func newRows(url string, o *options) ([]*row, error) {
	ours, err := newOurs(url)
	if err != nil {
		return nil, err
	}
	slow, err := newOurs(url + slowPath)
	if err != nil {
		return nil, err
	}
	calls, err := callRows(url, ours)
	if err != nil {
		return nil, err
	}
	local, err := localRows()
	if err != nil {
		return nil, err
	}
	rows := append(calls, iterationRows(ours, newFloor(url), o)...)
	rows = append(rows, latencyRows(slow, newFloor(url+slowPath), o)...)
	rows = append(rows, heapRows(ours, newFloor(url), o)...)
	return append(rows, local...), nil
}

// callRows returns the rows of single calls, of this client and of the peers.
func callRows(url string, ours *promptrails.Client) ([]*row, error) {
	f := newFloor(url)
	single, credentials, entries, err := ourSizes()
	if err != nil {
		return nil, err
	}
	get := getCredential(ours)
	gets := []*row{{task: taskGet, client: ourName, size: single, floor: oneCredential.floor(f), own: get}}
	lists := []*row{
		{task: taskList, client: ourName + ", credentials", size: credentials, floor: manyCredentials.floor(f), own: listCredentials(ours)},
		{task: taskList, client: ourName + ", changelog entries", size: entries, floor: fetch[page[entry]](f, changelogPage), own: listChangelog(ours)},
	}
	parallel := []*row{{task: taskWorkers, client: ourName, size: single, workers: workers, floor: oneCredential.floor(f), own: get}}
	for _, p := range peers {
		f := newFloor(url)
		get, list, err := p.connect(url, tunedClient())
		if err != nil {
			return nil, err
		}
		one, many := single, credentials
		if p.one.value != nil {
			if one, err = encodedSize(p.one.value); err != nil {
				return nil, err
			}
			if many, err = encodedSize(p.many.value); err != nil {
				return nil, err
			}
		}
		gets = append(gets, &row{task: taskGet, client: p.title(), size: one, floor: p.one.floor(f), own: get})
		lists = append(lists, &row{task: taskList, client: p.title(), size: many, floor: p.many.floor(f), own: list})
		parallel = append(parallel, &row{task: taskWorkers, client: p.title(), size: one, workers: workers, floor: p.one.floor(f), own: get})
	}
	return append(append(gets, lists...), parallel...), nil
}

// ourSizes returns the sizes of the documents of this API.
func ourSizes() (one, credentials, entries int, err error) {
	keys := make([][]byte, pageSize)
	for i := range keys {
		keys[i] = documents.Credential(i)
	}
	chain, err := documents.Chain(pageSize + 1)
	if err != nil {
		return 0, 0, 0, err
	}
	return len(documents.One(keys[1])), len(documents.Credentials(keys, 1, pageSize)), len(documents.Changelog(chain, 0, pageSize)), nil
}

func encodedSize(value any) (int, error) {
	body, err := json.Marshal(value)
	return len(body), err
}

// floorEntries returns a call that iterates over the first entries of the changelog.
func floorEntries(f *floor, n int) call {
	return func(ctx context.Context) error {
		got := 0
		if err := f.eachEntry(ctx, n, func(*entry) { got++ }); err != nil {
			return err
		}
		return checkCount(got, n)
	}
}

// ourEntries is like floorEntries, with this client.
func ourEntries(c *promptrails.Client, n int, opts ...promptrails.RequestOption) call {
	return exhaust(n, func(ctx context.Context) iter.Seq2[*promptrails.ChangelogEntry, error] {
		return allEntries(ctx, c, n, opts...)
	})
}

func iterationRows(ours *promptrails.Client, f *floor, o *options) []*row {
	floor := floorEntries(f, o.entries)
	return []*row{
		{task: taskIterate, client: ourName, size: o.entries, floor: floor, own: ourEntries(ours, o.entries)},
		{task: taskIterate, client: ourName + ", WithPrefetch(8)", size: o.entries, floor: floor, own: ourEntries(ours, o.entries, promptrails.WithPrefetch(prefetch))},
	}
}

func latencyRows(ours *promptrails.Client, f *floor, o *options) []*row {
	floorCredentials := func(ctx context.Context) error {
		got := 0
		if err := f.eachCredential(ctx, func(*credential) { got++ }); err != nil {
			return err
		}
		return checkCount(got, o.credentials)
	}
	ourCredentials := exhaust(o.credentials, func(ctx context.Context) iter.Seq2[*promptrails.Credential, error] {
		return ours.Credentials.All(ctx, nil, promptrails.WithPrefetch(prefetch))
	})
	return []*row{
		{
			task: taskLatency, client: ourName + ", changelog by sequence", size: o.slowEntries,
			floor: floorEntries(f, o.slowEntries), own: ourEntries(ours, o.slowEntries, promptrails.WithPrefetch(prefetch)),
		},
		{task: taskLatency, client: ourName + ", credentials by number", size: o.credentials, floor: floorCredentials, own: ourCredentials},
	}
}

func heapRows(ours *promptrails.Client, f *floor, o *options) []*row {
	return []*row{
		{task: taskHeap, client: "floor", size: o.entries, heap: &heaps{n: o.entries, iterate: func(ctx context.Context, each func()) error {
			return f.eachEntry(ctx, o.entries, func(*entry) { each() })
		}}},
		{task: taskHeap, client: ourName + ", WithPrefetch(8)", size: o.entries, heap: &heaps{n: o.entries, iterate: func(ctx context.Context, each func()) error {
			for _, err := range allEntries(ctx, ours, o.entries, promptrails.WithPrefetch(prefetch)) {
				if err != nil {
					return err
				}
				each()
			}
			return nil
		}}},
	}
}

// localRows returns the rows of calls that send no requests.
func localRows() ([]*row, error) {
	var rows []*row
	for _, c := range []struct {
		name string
		size int
		make func() (call, error)
	}{
		{"scope refusal", 0, refuseScope},
		{"Authenticate, cached key", 0, authenticateWarm},
		{"VerifyChangelog", verified, verifyChain},
	} {
		own, err := c.make()
		if err != nil {
			return nil, err
		}
		batch := 1000
		if c.size > 0 {
			batch = 1
		}
		rows = append(rows, &row{task: taskLocal, client: c.name, size: c.size, batch: batch, own: own})
	}
	return rows, nil
}
