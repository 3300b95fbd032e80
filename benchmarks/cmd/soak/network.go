package main

import (
	"context"
	"strings"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// network is the network between the client and the service.
type network struct{ proxy *toxiproxy.Proxy }

func newNetwork(upstream string) (*network, error) {
	zerolog.SetGlobalLevel(zerolog.Disabled) // the toxics use the global logger
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	n := &network{toxiproxy.NewProxy(server, "network", "127.0.0.1:0", upstream)}
	return n, n.proxy.Start()
}

func (n *network) url() string { return "http://" + n.proxy.Listen }

// close closes all connections and the listener.
func (n *network) close() { n.proxy.Stop() }

// open listens again at the same address and forwards to upstream.
func (n *network) open(upstream string) error {
	n.proxy.Upstream = upstream
	return n.proxy.Start()
}

// disturb adds a toxic of the proxy.
func (n *network) disturb(toxic string) error {
	_, err := n.proxy.Toxics.AddToxicJson(strings.NewReader(toxic))
	return err
}

// restore removes the toxics.
func (n *network) restore(ctx context.Context) { n.proxy.Toxics.ResetToxics(ctx) }

// disturbances are the faults of the network other than a cut, by the names of the report.
// A stream of downstream, the default, has the responses.
var disturbances = []struct{ name, toxic string }{
	{"latency of 50 to 250 ms", `{"type":"latency","attributes":{"latency":150,"jitter":100}}`},
	{"bandwidth of 20 KB/s", `{"type":"bandwidth","attributes":{"rate":20}}`},
	{"requests are lost", `{"type":"timeout","stream":"upstream","attributes":{"timeout":0}}`},
	{"responses are lost", `{"type":"timeout","attributes":{"timeout":0}}`},
	{"responses are lost, closed after 100 ms", `{"type":"timeout","attributes":{"timeout":100}}`},
	{"reset instead of a response", `{"type":"reset_peer","attributes":{"timeout":0}}`},
	{"closed in a response, after 300 bytes", `{"type":"limit_data","attributes":{"bytes":300}}`},
	{"closed in a request, after 300 bytes", `{"type":"limit_data","stream":"upstream","attributes":{"bytes":300}}`},
	{"half closed for 500 ms", `{"type":"slow_close","stream":"upstream","attributes":{"delay":500}}`},
	{"slices of 20 bytes", `{"type":"slicer","attributes":{"average_size":20,"size_variation":10,"delay":1000}}`},
}
