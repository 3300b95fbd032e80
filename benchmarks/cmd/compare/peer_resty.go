package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/go-resty/resty/v2"
)

var restyPeer = peer{
	name: "resty", module: "github.com/go-resty/resty/v2",
	one: oneCredential, many: manyCredentials,
	connect: func(url string, c *http.Client) (get, list call, err error) {
		client := resty.NewWithClient(c).SetBaseURL(url).SetAuthToken("t").SetHeader("X-Workspace-ID", "w").SetHeader("Accept", "application/json").
			SetRetryCount(3)
		return restyGet[envelope[credential]](client, credentialPath), restyGet[page[credential]](client, credentialsPage), nil
	},
}

func restyGet[T any](client *resty.Client, target string) call {
	return func(ctx context.Context) error {
		resp, err := client.R().SetContext(ctx).SetResult(new(T)).Get(target)
		if err == nil && resp.IsError() {
			err = fmt.Errorf("got %s, want 200", resp.Status())
		}
		return err
	}
}
