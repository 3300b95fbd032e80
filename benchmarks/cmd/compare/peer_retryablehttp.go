package main

import (
	"context"
	"net/http"

	"github.com/hashicorp/go-retryablehttp"
)

var retryablePeer = peer{
	name: "go-retryablehttp", module: "github.com/hashicorp/go-retryablehttp",
	one: oneCredential, many: manyCredentials,
	connect: func(url string, c *http.Client) (get, list call, err error) {
		client := retryablehttp.NewClient()
		client.HTTPClient, client.Logger = c, nil
		return retryableGet[envelope[credential]](client, url+credentialPath), retryableGet[page[credential]](client, url+credentialsPage), nil
	},
}

// retryableGet returns a call that decodes a document with encoding/json.
func retryableGet[T any](client *retryablehttp.Client, url string) call {
	return func(ctx context.Context) error {
		r, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer t")
		r.Header.Set("X-Workspace-ID", "w")
		r.Header.Set("Accept", "application/json")
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		return decode(resp, new(T))
	}
}
