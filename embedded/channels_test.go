package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/embedded"
)

// The plan determines the number and types of channels. The path of a channel's
// URL is a secret.
func TestChannelRules(t *testing.T) {
	t.Parallel()
	s := newServer(t, embedded.Config{DefaultPlan: promptrails.PlanFree})
	ada := s.owner("ada@example.com", "research")
	// The channel is inactive, so that nothing is sent to the address.
	const hook = `{"name":"n","type":"webhook","url":"https://93.184.216.34/x","is_active":false}`
	const slack = `{"name":"n","type":"slack","url":"https://93.184.216.34/x"}`
	t.Run("plan", func(t *testing.T) {
		ada := ada.with(t)
		ada.do("POST", "/notification-channels", slack).refused(403, "feature_not_in_plan")
		if r := ada.do("POST", "/notification-channels", hook).refused(402, "quota_exceeded"); !strings.Contains(r.body, `"limit":"notification_channels"`) || !strings.Contains(r.body, `"max":0`) {
			t.Errorf("webhook on the free plan: got %s, want the limit notification_channels with max 0", r.body)
		}
		ada.do("PATCH", "/billing/subscription", `{"plan":"starter"}`).expect(200)
		ada.do("POST", "/notification-channels", slack).refused(403, "feature_not_in_plan")
	})
	for field, body := range map[string]string{
		"type":   `{"name":"n","type":"mail","url":"https://93.184.216.34/x"}`,
		"events": `{"name":"n","type":"webhook","url":"https://93.184.216.34/x","events":["moon.full"]}`,
		"name":   `{"name":" ","type":"webhook","url":"https://93.184.216.34/x"}`,
		"url":    `{"name":"n","type":"webhook","url":"[redacted]"}`,
		"secret": `{"name":"n","type":"webhook","url":"https://93.184.216.34/x","secret":"whsec_x"}`,
	} {
		t.Run("invalid "+field, func(t *testing.T) {
			if fields := ada.with(t).do("POST", "/notification-channels", body).fails(400, "validation_error"); fields[field] == "" {
				t.Errorf("%s: got errors of the fields %v, want one of %s", body, fields, field)
			}
		})
	}
	first := ada.do("POST", "/notification-channels", hook).expect(201)
	ada.do("POST", "/notification-channels", hook).expect(201)
	ada.do("POST", "/notification-channels", hook).refused(402, "quota_exceeded")
	id := first.text("id")
	t.Run("get and list", func(t *testing.T) {
		ada := ada.with(t)
		one := ada.do("GET", "/notification-channels/"+id, "").expect(200)
		if one.text("url") != "https://93.184.216.34/…" || strings.Contains(one.body, "secret") || one.header.Get("ETag") != `"1"` || !strings.Contains(one.body, `"events":[]`) {
			t.Errorf("channel: got %s %v, want a masked URL, no secret, no events and the ETag \"1\"", one.body, one.header)
		}
		if ids, total := ada.do("GET", "/notification-channels?type=webhook", "").listed(); len(ids) != 2 || total != 2 {
			t.Errorf("webhook channels: got %v of %d, want 2 of 2", ids, total)
		}
	})
	t.Run("change the URL", func(t *testing.T) {
		ada := ada.with(t)
		// The changelog records the change, but not the path.
		ada.do("PATCH", "/notification-channels/"+id, `{"url":"https://93.184.216.34/planted"}`, "If-Match", `"1"`).expect(200)
		ada.do("PATCH", "/notification-channels/"+id, `{"name":"m"}`, "If-Match", `"1"`).refused(412, "precondition_failed")
		log := ada.do("GET", "/changelog?limit=1", "").body
		if !strings.Contains(log, `"changes":{"url":{"from":"https://93.184.216.34/…","to":"https://93.184.216.34/…"}}`) || strings.Contains(log, "planted") {
			t.Errorf("changelog: got %s, want a change of url without the path", log)
		}
		// The masked URL of a response is not accepted as a URL.
		if fields := ada.do("PATCH", "/notification-channels/"+id, `{"url":"https://93.184.216.34/…"}`).fails(400, "validation_error"); fields["url"] == "" {
			t.Errorf("masked URL: got errors of the fields %v, want one of url", fields)
		}
	})
	t.Run("downgrade", func(t *testing.T) {
		ada := ada.with(t)
		if r := ada.do("PATCH", "/billing/subscription", `{"plan":"free"}`).refused(409, "over_limit"); !strings.Contains(r.body, `"limit":"notification_channels"`) {
			t.Errorf("change to free: got %s, want the limit notification_channels", r.body)
		}
		usage := ada.do("GET", "/billing/usage", "").body
		if want := `{"key":"notification_channels","used":2,"max":2}`; !strings.Contains(usage, want) {
			t.Errorf("usage: got %s, want %s", usage, want)
		}
		for _, id := range []string{id, ada.firstChannel()} {
			ada.do("DELETE", "/notification-channels/"+id, "").expect(204)
			ada.do("GET", "/notification-channels/"+id+"/deliveries", "").refused(404, "not_found")
		}
		ada.do("PATCH", "/billing/subscription", `{"plan":"free"}`).expect(200)
	})
}

// A channel is rejected if its URL is not HTTPS or its address is not public.
func TestChannelURLs(t *testing.T) {
	t.Parallel()
	ada := newServer(t, embedded.Config{WebhookResolver: resolver(t, func(string) string { return "10.1.2.3" })}).owner("ada@example.com", "research")
	for _, url := range []string{
		"http://93.184.216.34/", "ftp://93.184.216.34/", "//93.184.216.34/", "https:93.184.216.34", "https:///x", "", "x",
		"https://user@93.184.216.34/", "https://user:pass@93.184.216.34/", "https://93.184.216.34:0/", "https://93.184.216.34:99999/", "https://93.184.216.34:/",
		"https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/", "https://0/", "https://1.2.3/", "https://a.0x7f/",
		"https://localhost/", "https://LOCALHOST./", "https://a.localhost/", "https://10.0.0.1/", "https://10.255.255.255:8443/", "https://172.16.0.1/", "https://192.168.1.1/",
		"https://169.254.169.254/latest/meta-data", "https://168.63.129.16/", "https://100.64.0.1/", "https://0.0.0.0/", "https://255.255.255.255/", "https://224.0.0.1/",
		"https://192.0.2.1/", "https://198.51.100.1/", "https://203.0.113.1/", "https://198.18.0.1/", "https://240.0.0.1/", "https://192.0.0.8/",
		"https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[64:ff9b::808:808]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/",
		"https://[fc00::1]/", "https://[2001:db8::1]/", "https://[2002:7f00:1::]/", "https://[ff02::1]/", "https://[2001::1]/", "https://[fec0::1]/",
		"https://１２７.0.0.1/", "https://bücher.example/", "https://exa mple.com/", "https://example.com/\x00", "https://-/%zz", "https://inside.example.com/", "https://" + strings.Repeat("a", 2048) + ".example/",
	} {
		t.Run(fmt.Sprintf("%.60q", url), func(t *testing.T) {
			body := `{"name":"n","type":"webhook","url":` + quoted(t, url) + `}`
			if fields := ada.with(t).do("POST", "/notification-channels", body).fails(400, "validation_error"); fields["url"] == "" {
				t.Errorf("%s: got errors of the fields %v, want one of url", url, fields)
			}
		})
	}
	id, _ := ada.channel("https://93.184.216.34:8443/hooks?x=y", `"is_active":false`)
	ada.do("PATCH", "/notification-channels/"+id, `{"url":"https://inside.example.com/"}`).fails(400, "validation_error")
	ada.channel("https://[2606:2800:220:1:248:1893:25c8:1946]/", `"is_active":false`)
}

// A host name that does not resolve is accepted. It is resolved and checked
// again when it is dialed.
func TestChannelHostIsCheckedWhenDialed(t *testing.T) {
	t.Parallel()
	dialed := make(chan net.Conn, 10)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			dialed <- conn
		}
	}()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	var address atomic.Value
	address.Store("")
	ada := newServer(t, embedded.Config{WebhookResolver: resolver(t, func(string) string { return address.Load().(string) })}).owner("ada@example.com", "research")
	unknown, _ := ada.channel("https://nowhere.example.com/", `"events":["channel.test"]`)
	address.Store("93.184.216.34")
	rebound, _ := ada.channel("https://rebound.example.com:"+port+"/", `"events":["channel.test"]`)
	address.Store("127.0.0.1")
	ada.do("POST", "/notification-channels/"+rebound+"/test", "").expect(201)
	d := ada.deliveries(rebound, attempted(1))[0]
	if got := d.Attempts[0].Error; got != "the URL resolves to an address that is not public" {
		t.Errorf("delivery to a host that now is 127.0.0.1: got the error %q, want one about its address", got)
	}
	address.Store("")
	ada.do("POST", "/notification-channels/"+unknown+"/test", "").expect(201)
	d = ada.deliveries(unknown, attempted(1))[0]
	if got := d.Attempts[0].Error; got != "the host name cannot be resolved" {
		t.Errorf("delivery to an unknown host: got the error %q, want one about its name", got)
	}
	if n := len(dialed); n != 0 {
		t.Errorf("127.0.0.1: got %d connections, want 0", n)
	}
}

// resolver returns a resolver. Its name server responds with the IPv4 address from
// lookup, or with NXDOMAIN if lookup returns no address.
func resolver(t *testing.T, lookup func(name string) string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(packet)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			var m dnsmessage.Message
			if err != nil || m.Unpack(packet[:n]) != nil {
				continue
			}
			m.Response, m.Additionals = true, nil
			address := net.ParseIP(lookup(m.Questions[0].Name.String())).To4()
			switch {
			case address == nil:
				m.RCode = dnsmessage.RCodeNameError
			case m.Questions[0].Type == dnsmessage.TypeA:
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET},
					Body:   &dnsmessage.AResource{A: [4]byte(address)},
				}}
			}
			packed, err := m.Pack()
			if err != nil {
				t.Errorf("packing the DNS response: %v", err)
			}
			_, _ = server.WriteTo(packed, from)
		}
	}()
	dialer := &net.Dialer{}
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// Deliveries ignore the proxies of the environment.
func TestNoProxy(t *testing.T) {
	asked := make(chan string, 10)
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.String() }))
	defer proxy.Close()
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		t.Setenv(name, proxy.URL)
	}
	ada := newServer(t, embedded.Config{WebhookResolver: resolver(t, func(string) string { return "" })}).owner("ada@example.com", "research")
	channel, _ := ada.channel("https://nowhere.example.com/")
	ada.do("POST", "/notification-channels/"+channel+"/test", "").expect(201)
	ada.deliveries(channel, attempted(1))
	if len(asked) != 0 {
		t.Errorf("proxy: got a request for %s, want none", <-asked)
	}
}
