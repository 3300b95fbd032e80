package main

import (
	"net/http"
	"strings"
)

// peer is another client, with two documents of its API that have about as many
// fields and bytes as a credential and a page of 100 credentials.
type peer struct {
	name, module string
	one, many    document
	connect      func(url string, c *http.Client) (get, list call, err error)
}

// title returns the name and the version of the peer.
func (p *peer) title() string { return strings.TrimSpace(p.name + " " + version(p.module)) }

// document is a response. The floor decodes it into the type that it was made from.
type document struct {
	target string // path and query
	value  any    // nil: a document of this API, which the server has
	floor  func(*floor) call
}

func newDocument[T any](target string, value T) document {
	return document{target, value, func(f *floor) call { return fetch[T](f, target) }}
}

// hundred returns a list of 100 objects.
func hundred[T any](object func(n int) T) []T {
	list := make([]T, pageSize)
	for i := range list {
		list[i] = object(i)
	}
	return list
}

// The documents of this API, which clients without an API of their own decode too.
var (
	oneCredential   = document{credentialPath, nil, func(f *floor) call { return fetch[envelope[credential]](f, credentialPath) }}
	manyCredentials = document{credentialsPage, nil, func(f *floor) call { return fetch[page[credential]](f, credentialsPage) }}
)

var peers = []peer{retryablePeer, restyPeer, githubPeer, hcloudPeer, openaiPeer, tfePeer}
