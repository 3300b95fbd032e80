package main

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/promptrails-community/promptrails-go/internal/processtest"
)

func TestMain(m *testing.M) { processtest.Main(m, main) }

func TestUsage(t *testing.T) {
	t.Parallel()
	processtest.CheckUsage(t, "-addr", "-url", "-tls-cert", "-tls-key", "-https", "-log-level")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-tls-cert", "x"}, "-tls-cert and -tls-key belong together"},
		{[]string{"-addr", "0.0.0.0:8080"}, "other machines would send access tokens without encryption"},
		{[]string{"-addr", ":8080"}, "other machines would send access tokens without encryption"},
		{[]string{"-addr", "8080"}, "-addr: address 8080: missing port in address"},
		{[]string{"-url", "http://192.0.2.1"}, "-url: "},
		{[]string{"-log-level", "loud"}, "-log-level"},
	} {
		processtest.Run(t, t.TempDir(), nil, c.args...).Fails(t, exitUsage, c.want)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	processtest.Run(t, t.TempDir(), nil, "-url", "https://192.0.2.1", "-addr", listener.Addr().String()).Fails(t, exitFailed, "-addr: ")
}

// The program prints a link that logs in, and exits after a signal.
func TestProcess(t *testing.T) {
	t.Parallel()
	process := processtest.Start(t, t.TempDir(), nil, "-addr", "127.0.0.1:0")
	_, link, found := strings.Cut(process.Until(t, "Log in with this link"), "one time: ")
	base, path, _ := strings.Cut(strings.TrimPrefix(link, "http://"), "/")
	if !found {
		t.Fatalf("output: got no link")
	}
	b := newBrowser(t, "http://"+base)
	b.get(t, "/"+path).shows(t, 200, "Ada Okafor", "Grace Lindqvist", "Mei Tanaka", "Noor Haddad")
	b.post(t, "/"+path, url.Values{"person": {"ada@example.com"}}).redirects(t, "/workspaces")
	process.Until(t, "Log in with this link") // the next one
	b.get(t, "/workspaces").shows(t, http.StatusOK, "Halden Robotics", "Halden Labs", "Ada&#39;s Sandbox")
	process.Signal(t, syscall.SIGTERM)
	process.End(t, 0)
}

var inCode = regexp.MustCompile("`([a-z-]+\\.(?:go|html|js|png))`")

// The README names files that exist.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	names := inCode.FindAllStringSubmatch(string(readme), -1)
	if len(names) < 10 {
		t.Errorf("files in README.md: got %v, want at least 10", names)
	}
	for _, name := range names {
		found := name[1] == "prompts.go" || name[1] == "prompts.html" // of the example
		for _, dir := range []string{".", "templates", "assets"} {
			_, err := os.Stat(filepath.Join(dir, name[1]))
			found = found || err == nil
		}
		if !found {
			t.Errorf("README.md names %s, which does not exist", name[1])
		}
	}
	for _, name := range []string{"visit.render", "v.once()", "then(path, message)", "20,000"} {
		if !strings.Contains(string(readme), name) {
			t.Errorf("README.md: got no %q", name)
		}
	}
	if verifyAtMost != 20_000 {
		t.Errorf("entries of a verification: got %d, want the 20,000 of README.md", verifyAtMost)
	}
}

// If the default address cannot be used, the program listens on a free port. Otherwise -addr
// is what was asked for.
func TestListen(t *testing.T) {
	t.Parallel()
	const notHere = "192.0.2.1:8080"
	listener, err := listen(t.Context(), &settings{addr: notHere})
	if err != nil {
		t.Fatalf("listen: got error %v, want a free port", err)
	}
	defer listener.Close()
	if got := listener.Addr().String(); !isLoopback(got) {
		t.Errorf("address: got %s, want one that other machines do not reach", got)
	}
	if _, err := listen(t.Context(), &settings{addr: notHere, addrSet: true}); err == nil {
		t.Errorf("listen on -addr %s: got no error", notHere)
	}
}
