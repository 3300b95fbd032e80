package promptrails_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// The body of a 101 response is a connection, and no context interrupts reading
// from it. The client closes it at once.
func TestSwitchingProtocols(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	url, _ := listen(t, func(c net.Conn) {
		_ = readHead(c)
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		_, _ = io.Copy(io.Discard, c) // until the client hangs up
		close(closed)
	})
	_, err := clientAt(t, url).Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "R", Slug: "r"})
	if e, ok := errors.AsType[*promptrails.Error](err); !ok || e.Status != 101 || !strings.Contains(err.Error(), "the outcome is not known") {
		t.Errorf("Workspaces.Create: got %v, want an *Error with status 101 and an unknown outcome", err)
	}
	<-closed
}

// The outcome is unknown if the caller's transport retries a request that was
// sent, even if the connection of the second attempt is refused.
func TestRetryingTransport(t *testing.T) {
	t.Parallel()
	listener := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	var posts atomic.Int64
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		if r, err := http.ReadRequest(bufio.NewReader(conn)); err == nil && r.Method == http.MethodPost {
			posts.Add(1)
		}
		_ = listener.Close() // before the connection closes, so that the second attempt is refused
		_ = conn.Close()
	}()
	base := &http.Transport{}
	defer base.CloseIdleConnections()
	retrying := transportFunc(func(r *http.Request) (*http.Response, error) {
		response, err := base.RoundTrip(r)
		if err == nil {
			return response, nil
		}
		second := r.Clone(r.Context())
		if second.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
		return base.RoundTrip(second)
	})
	c := clientOver(t, retrying, promptrails.WithBaseURL("http://"+listener.Addr().String()))
	_, err := c.Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{Name: "R", Slug: "r"})
	<-served
	if e, ok := errors.AsType[*promptrails.Error](err); !ok || e.Attempts != 1 || posts.Load() != 1 || !strings.Contains(err.Error(), "the outcome is not known") {
		t.Errorf("Workspaces.Create: got %v after %d requests, want an *Error after one attempt and one request, with an unknown outcome", err, posts.Load())
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The errors of net/http quote a response that is not HTTP. If the response
// contains the token, no error in the chain does.
func TestTokenInMalformedHTTP(t *testing.T) {
	t.Parallel()
	url, _ := listen(t, func(c net.Conn) {
		_ = readHead(c)
		_, _ = io.WriteString(c, "KEY "+token+" rejected\r\n\r\n")
	})
	_, err := clientAt(t, url, promptrails.WithMaxRetries(0)).Me(t.Context())
	if err == nil {
		t.Fatal("Me: got no error, want one")
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if strings.Contains(err.Error(), token) {
			t.Errorf("error in the chain: got %q, want it without the token", err)
		}
	}
}

// The maximum response size does not apply to error pages of a proxy: their
// status decides whether the client retries.
func TestLargeErrorPage(t *testing.T) {
	t.Parallel()
	large := status(502, strings.Repeat("<p>bad gateway</p>", 1000), "Content-Type", "text/html")
	a := &scripted{script: []http.HandlerFunc{large, status(200, someUser)}}
	if _, err := clientOver(t, a, promptrails.WithMaxResponseSize(4096)).Me(t.Context()); err != nil || a.count() != 2 {
		t.Errorf("Me: got %v after %d requests, want success after 2", err, a.count())
	}
	synctest.Test(t, func(t *testing.T) {
		a := &scripted{script: []http.HandlerFunc{large, large, large, status(200, nothingNew)}}
		c := clientOver(t, a, promptrails.WithMaxResponseSize(4096), promptrails.WithMaxRetries(0))
		if _, err := follow(t, c, &promptrails.TailParams{}, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Changelog.Tail: got %v, want it to continue until the deadline", err)
		}
	})
}

// JSON that is not in the API's format does not end a tail after its first
// successful request.
func TestTailSurvivesAGateway(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"message":"no Route matched with those values"}`, `{"message":"Unauthorized"}`, `null`, `{}`} {
		for _, code := range []int{400, 401, 403, 404} {
			t.Run(fmt.Sprint(code, " ", body), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := &scripted{script: []http.HandlerFunc{status(200, nothingNew), status(code, body), status(code, body), status(200, nothingNew)}}
					if _, err := follow(t, clientOver(t, a, promptrails.WithMaxRetries(0)), &promptrails.TailParams{}, time.Hour); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("Changelog.Tail: got %v, want it to continue until the deadline", err)
					}
				})
			})
		}
	}
}

// A successful status with an error in its body is an error. A 404 confirms a
// retried DELETE only if its message is about the deleted object.
func TestUnconfirmedChanges(t *testing.T) {
	t.Parallel()
	remove := func(c *promptrails.Client) error { return c.Credentials.Delete(t.Context(), "c1", nil) }
	for _, body := range []string{`{"errors":[{"message":"nope"}]}`, `{"success":false}`, `{"ok":false}`, `{"error":false}`, `null`} {
		t.Run("200 "+body, func(t *testing.T) {
			if err := remove(clientOver(t, &scripted{script: []http.HandlerFunc{status(200, body)}})); err == nil {
				t.Error("Credentials.Delete: got no error, want one")
			}
		})
	}
	t.Run("200 with an error and an object", func(t *testing.T) {
		create := &scripted{script: []http.HandlerFunc{status(200, `{"error":{"code":"x"},"data":{"id":"w"}}`)}}
		if _, err := clientOver(t, create).Workspaces.Create(t.Context(), &promptrails.CreateWorkspaceParams{}); err == nil {
			t.Error("Workspaces.Create: got no error, want one")
		}
	})
	for name, call := range map[string]func(*promptrails.Client) error{
		"Members.List": func(c *promptrails.Client) error { _, err := c.Members.List(t.Context(), nil); return err },
		"Do":           func(c *promptrails.Client) error { var out []any; return c.Do(t.Context(), "GET", "/x", nil, &out) },
	} {
		t.Run("200 with an error and a list, "+name, func(t *testing.T) {
			if err := call(clientOver(t, &scripted{script: []http.HandlerFunc{status(200, `{"error":"partial","data":[],"meta":{}}`)}})); err == nil {
				t.Errorf("%s: got no error, want one", name)
			}
		})
	}
	for message, confirmed := range map[string]bool{
		"credential not found": true, "The credential c1 was not found.": true, "credential with id c1 not found in this workspace": true, "Not found": true,
		"the workspace of the credential was not found": false, "workspace not found: this credential's workspace does not exist": false,
		"credential type route not found": false, "no credential": false, "credential c2 not found": false,
	} {
		t.Run("404 "+message, func(t *testing.T) {
			a := &scripted{script: []http.HandlerFunc{status(502, ""), status(404, fmt.Sprintf(`{"error":{"code":"not_found","message":%q}}`, message))}}
			if err := remove(clientOver(t, a)); (err == nil) != confirmed {
				t.Errorf("Credentials.Delete: got %v, want the deletion confirmed: %t", err, confirmed)
			}
		})
	}
}

// The end of a list depends on meta in addition to the number of items of a
// page.
func TestMetaAtTheEnd(t *testing.T) {
	t.Parallel()
	serve := func(meta string, n int) *promptrails.Client {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprint("m", i)
		}
		return clientOver(t, &scripted{script: []http.HandlerFunc{list(`,"meta":`+meta, ids...)}})
	}
	after := &promptrails.ListMembersParams{ListOptions: promptrails.ListOptions{After: "abc"}}
	count := func(c *promptrails.Client, params *promptrails.ListMembersParams) (n int, err error) {
		for _, err := range c.Members.All(t.Context(), params) {
			if err != nil {
				return n, err
			}
			n++
		}
		return n, nil
	}
	if n, err := count(serve(`{"total":150,"page":1,"pages":2}`, 100), after); n != 100 || err == nil {
		t.Errorf("Members.All of a server that ignores after: got %d items and error %v, want 100 items and an error", n, err)
	}
	if n, err := count(serve(`{"total":150,"limit":100,"pages":2}`, 50), after); n != 50 || err != nil {
		t.Errorf("Members.All at the last page of a list with cursors: got %d items and error %v, want 50 items and no error", n, err)
	}
	n, err := 0, error(nil)
	for _, err = range serve(`{"total":150,"page":1,"pages":2}`, 100).Billing.AllTransactions(t.Context(), nil) {
		n++
	}
	if err == nil {
		t.Errorf("Billing.AllTransactions without cursors: got %d items and no error, want an error", n)
	}
}

// If a cursor is an offset, an insertion shifts items to the next page. They are
// returned only once.
func TestOffsetCursors(t *testing.T) {
	t.Parallel()
	c := clientOver(t, &scripted{script: []http.HandlerFunc{
		list(`,"meta":{"next_cursor":"3"}`, "a", "b", "c"), list(`,"meta":{"next_cursor":"6"}`, "c", "d", "e"), list(`,"meta":{"limit":3}`, "d", "e", "f"),
	}})
	if ids, err := collect(t.Context(), c); err != nil || strings.Join(ids, "") != "abcdef" {
		t.Errorf("Members.All: got ids %v and error %v, want a to f, each once", ids, err)
	}
}

// A list that begins at a later page contains all items from that page on.
func TestListsFromALaterPage(t *testing.T) {
	t.Parallel()
	totals := func(_, _, items int) string { return fmt.Sprintf(`,"meta":{"total":%d}`, items) }
	for name, c := range map[string]struct {
		server otherServer
		limit  int
		want   int
	}{
		"full pages":               {otherServer{items: 250}, 100, 150},
		"full pages, a last page":  {otherServer{items: 150}, 100, 50},
		"37 a page":                {otherServer{items: 250, maxPage: 37}, 100, 213},
		"37 a page, with a total":  {otherServer{items: 250, maxPage: 37, meta: totals}, 100, 213},
		"full pages, with a total": {otherServer{items: 250, meta: totals}, 100, 150},
		"smaller pages than limit": {otherServer{items: 64, maxPage: 20}, 30, 44},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.server.handler())
			defer server.Close()
			seen := map[string]bool{}
			params := &promptrails.ListMembersParams{ListOptions: promptrails.ListOptions{Page: 2, Limit: c.limit}}
			for m, err := range clientAt(t, server.URL).Members.All(t.Context(), params) {
				if err != nil {
					t.Fatal(err)
				}
				seen[m.ID] = true
			}
			if len(seen) != c.want {
				t.Errorf("Members.All: got %d items, want %d", len(seen), c.want)
			}
		})
	}
}

// The largest duration does not overflow: keys stay in the cache.
func TestMaximumCacheTTL(t *testing.T) {
	t.Parallel()
	var verified atomic.Int64
	verify := verifier(func(context.Context, promptrails.Secret) (*promptrails.APIKey, error) {
		verified.Add(1)
		return &promptrails.APIKey{ID: "k", WorkspaceID: "w", Scopes: promptrails.Scopes{"*"}, Status: promptrails.APIKeyActive}, nil
	})
	a := must[*promptrails.Authenticator](t)(promptrails.NewAuthenticator(clientOver(t, &scripted{}), promptrails.WithAuthVerifier(verify),
		promptrails.WithAuthCacheTTL(math.MaxInt64), promptrails.WithAuthMaxStale(math.MaxInt64)))
	for range 10 {
		if _, err := a.Authenticate(t.Context(), "pr_live_0000000000000000000000000000000000000000000000001", promptrails.AuthRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	if verified.Load() != 1 {
		t.Errorf("Authenticate: got %d verifications for 10 calls, want 1", verified.Load())
	}
}

// Do rejects invalid targets before it sends a request.
func TestDoWithInvalidTargets(t *testing.T) {
	t.Parallel()
	a := &scripted{}
	for _, out := range []any{(*promptrails.Page[promptrails.Member])(nil), (*int)(nil), promptrails.Member{}, 0} {
		t.Run(fmt.Sprintf("%T", out), func(t *testing.T) {
			if err := clientOver(t, a).Do(t.Context(), "GET", "/x", nil, out); !errors.Is(err, promptrails.ErrValidation) || a.count() != 0 {
				t.Errorf("Do: got %v after %d requests, want ErrValidation before any request", err, a.count())
			}
		})
	}
}

// The error of an attempt that was too slow names the option.
func TestTimeoutError(t *testing.T) {
	t.Parallel()
	url, _ := listen(t, func(c net.Conn) {
		_ = readHead(c)
		_, _ = io.Copy(io.Discard, c) // until the client hangs up
	})
	_, err := clientAt(t, url, promptrails.WithTimeout(10*time.Millisecond), promptrails.WithMaxRetries(0)).Me(t.Context())
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "WithTimeout") {
		t.Errorf("Me with a slow server: got %v, want DeadlineExceeded and WithTimeout in its text", err)
	}
}
