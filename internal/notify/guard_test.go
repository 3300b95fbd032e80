package notify

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// URLFault checks the text of a URL, without DNS.
func TestURLFault(t *testing.T) {
	t.Parallel()
	for raw, allowed := range map[string][2]bool{ // without and with AllowLoopback
		"https://example.com/hooks/1?x=y":                  {true, true},
		"https://example.com.:8443":                        {true, true},
		"https://a_b.example.com/":                         {true, true},
		"https://93.184.216.34/":                           {true, true},
		"https://[2606:2800:220:1::1]/":                    {true, true},
		"https://localhost.example.com/":                   {true, true},
		"https://xn--bcher-kva.example/":                   {true, true},
		"https://example.com/" + strings.Repeat("a", 2028): {true, true},
		"https://example.com/" + strings.Repeat("a", 2029): {false, false},
		"https://" + strings.Repeat("a.", 127) + "a/":      {false, false},
		"https://localhost/":                               {false, true},
		"https://LocalHost.:1/":                            {false, true},
		"https://a.localhost/":                             {false, true},
		"https://127.0.0.1/":                               {false, true},
		"https://[::1]/":                                   {false, true},
		"http://127.0.0.1:8080/":                           {false, true},
		"http://localhost/":                                {false, true},
		"http://[::1]:80/":                                 {false, true},
		"http://example.com/":                              {false, false},
		"http://93.184.216.34/":                            {false, false},
		"http://10.0.0.1/":                                 {false, false},
		"https://10.0.0.1/":                                {false, false},
		"https://169.254.169.254/":                         {false, false},
		"https://168.63.129.16/":                           {false, false},
		"https://[::ffff:168.63.129.16]/":                  {false, false},
		"https://[2606:2800:220:1::1%25eth0]/":             {false, false},
		"https://127.1/":                                   {false, false},
		"https://0x7f000001/":                              {false, false},
		"https://1.2.3.0x/":                                {false, false},
		"https://example.1/":                               {false, false},
		"https://a..b/":                                    {false, false},
		"https://example.com/…":                            {false, false},
	} {
		t.Run(fmt.Sprintf("%.60s, %d bytes", raw, len(raw)), func(t *testing.T) {
			t.Parallel()
			for i, g := range []Guard{{}, {AllowLoopback: true}} {
				if fault := g.URLFault(raw); (fault == "") != allowed[i] || strings.Contains(fault, "hooks") {
					t.Errorf("%+v.URLFault: got %q, want allowed %t and no path in the message", g, fault, allowed[i])
				}
			}
		})
	}
}

// Addresses in IANA's special-purpose registries are refused, and so is
// 168.63.129.16, an address of Azure that is in no registry.
func TestSpecialAddresses(t *testing.T) {
	t.Parallel()
	for prefix := range strings.FieldsSeq(`0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24
		192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 255.255.255.255/32 168.63.129.16/32
		::/128 ::1/128 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/32 2001:db8::/32 2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8`) {
		p := netip.MustParsePrefix(prefix)
		for a := p.Addr(); p.Contains(a); { // the first three addresses
			if (Guard{}).isAllowed(a) {
				t.Errorf("isAllowed(%s) in %s: got true, want false", a, prefix)
			}
			if a = a.Next(); a.Prev().Prev().Prev() == p.Addr() {
				break
			}
		}
	}
	for _, a := range []string{"1.1.1.1", "93.184.216.34", "168.63.129.17", "11.0.0.1", "172.32.0.1", "2606:4700::1111", "2a00::1"} {
		if !(Guard{}).isAllowed(netip.MustParseAddr(a)) {
			t.Errorf("isAllowed(%s): got false, want true for a public address", a)
		}
	}
}

// Show hides the path and the query of a URL.
func TestShow(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://hooks.slack.com/services/T0/B0/planted": "https://hooks.slack.com/…", "https://example.com:8443?planted": "https://example.com:8443/…", "%": "…",
	} {
		if got := Show(raw); got != want {
			t.Errorf("Show(%q): got %q, want %q", raw, got, want)
		}
	}
}
