package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// floor is a client that is written by hand.
type floor struct {
	client *http.Client
	url    string
}

func newFloor(url string) *floor { return &floor{tunedClient(), url} }

// tunedClient returns a client that keeps a connection for each goroutine.
func tunedClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 256, 128
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

// get decodes the response for a path and query.
func (f *floor) get(ctx context.Context, target string, out any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.url+target, http.NoBody)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer t")
	r.Header.Set("X-Workspace-ID", "w")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "floor")
	resp, err := f.client.Do(r)
	if err != nil {
		return err
	}
	return decode(resp, out)
}

// decode reads the body of a response, which has a length, and decodes it.
func decode(resp *http.Response, out any) error {
	body := make([]byte, max(0, resp.ContentLength))
	_, err := io.ReadFull(resp.Body, body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: got status %d, want 200", resp.Request.URL, resp.StatusCode)
	}
	return json.Unmarshal(body, out)
}

// fetch returns a call that decodes a document into a new T.
func fetch[T any](f *floor, target string) call {
	return func(ctx context.Context) error { return f.get(ctx, target, new(T)) }
}

// envelope is a response with one object.
type envelope[T any] struct {
	Data T `json:"data"`
}

// page is a response with a list.
type page[T any] struct {
	Data []T              `json:"data"`
	Meta promptrails.Meta `json:"meta"`
}

// credential has the fields of a credential without its methods.
type credential promptrails.Credential

// entry has the fields of a changelog entry, without the JSON that the client retains.
type entry struct {
	ID          string          `json:"id"`
	WorkspaceID string          `json:"workspace_id"`
	Sequence    int64           `json:"sequence"`
	Action      string          `json:"action"`
	Resource    ref             `json:"resource"`
	Actor       ref             `json:"actor"`
	Changes     json.RawMessage `json:"changes"`
	IP          string          `json:"ip"`
	UserAgent   string          `json:"user_agent"`
	RequestID   string          `json:"request_id"`
	OccurredAt  time.Time       `json:"occurred_at"`
	PrevHash    string          `json:"prev_hash"`
	Hash        string          `json:"hash"`
}

type ref struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Name string `json:"name"`
}

// eachEntry calls fn for the entries of the changelog up to a sequence, page by page.
func (f *floor) eachEntry(ctx context.Context, to int, fn func(*entry)) error {
	target := fmt.Sprintf("%s?order=asc&limit=%d&sequence_to=%d", changelogPath, pageSize, to)
	for next := target; ; {
		var p page[entry]
		if err := f.get(ctx, next, &p); err != nil {
			return err
		}
		for i := range p.Data {
			fn(&p.Data[i])
		}
		if p.Meta.NextCursor == "" {
			return nil
		}
		next = target + "&after=" + p.Meta.NextCursor
	}
}

// eachCredential calls fn for all credentials, page by page.
func (f *floor) eachCredential(ctx context.Context, fn func(*credential)) error {
	for number := 1; ; number++ {
		var p page[credential]
		if err := f.get(ctx, credentialsPath+"?limit="+strconv.Itoa(pageSize)+"&page="+strconv.Itoa(number), &p); err != nil {
			return err
		}
		for i := range p.Data {
			fn(&p.Data[i])
		}
		if number >= p.Meta.Pages {
			return nil
		}
	}
}
