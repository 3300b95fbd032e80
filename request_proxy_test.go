package promptrails_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

// TestBehindAHostileProxy calls random methods of all services through a proxy
// between the client and a server that records each change. The proxy returns
// its own errors, closes connections, truncates and delays responses, duplicates
// requests, removes meta, and caps and reorders pages. The test checks that:
//   - a call without an error changed the server;
//   - a call with an error changed nothing, unless the error reports an unknown
//     outcome;
//   - a list without an error is complete;
//   - no error contains a secret.
func TestBehindAHostileProxy(t *testing.T) {
	t.Parallel()
	calls := 20_000
	if testing.Short() {
		calls = 2_000
	}
	const batch = 500
	for i := range calls / batch {
		seed := uint64(i)
		if i%2 == 1 {
			seed = rand.Uint64()
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newTrial(t, seed).run(batch) })
		})
	}
}

// trial is one sequence of random calls.
type trial struct {
	t         *testing.T
	random    *rand.Rand
	mu        sync.Mutex
	calls     map[string]*trialCall
	transport *http.Transport
	proxied   chan net.Conn
}

// trialCall is one call, with the state that the server has for it.
type trialCall struct {
	name    string
	list    bool
	honours bool     // the server honors Idempotency-Key
	style   int      // style of the server's lists, 0 to 7
	items   int      // length of the server's lists
	done    int      // number of times that the server made the change
	key     string   // last Idempotency-Key
	err     error    // error of the call
	log     []string // requests and faults
}

// Secrets that the calls send and that the server returns.
const (
	sentSecret = "sk-live &\"sent\\secret/4eC39HqLyjWDarjtT1zdp7dc"
	sentToken  = "tok-9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c"
	newSecret  = "pr_live_MADEbyTHEserver0123456789abcdefghij"
)

// newTrial starts the proxy of a trial. The seed determines the calls and faults.
func newTrial(t *testing.T, seed uint64) *trial {
	t.Helper()
	tr := &trial{t: t, random: rand.New(&sharedSource{source: rand.NewPCG(seed, 1)}), calls: map[string]*trialCall{}, proxied: make(chan net.Conn)}
	tr.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			clientEnd, serverEnd := net.Pipe()
			select {
			case tr.proxied <- serverEnd:
				return clientEnd, nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		},
	}
	server := &http.Server{Handler: http.HandlerFunc(tr.proxy)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(pipes{tr.proxied, t.Context()})
	}()
	t.Cleanup(func() {
		tr.transport.CloseIdleConnections()
		_ = server.Close()
		<-served
	})
	return tr
}

// pipes is a listener of in-process connections.
type pipes struct {
	conns chan net.Conn
	ctx   context.Context
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ctx.Done():
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.IPAddr{} }

// run makes random calls, and checks the changes that each has made.
func (tr *trial) run(calls int) {
	var client *promptrails.Client
	honours := false
	for i := range calls {
		if i%10 == 0 { // a new client has a full retry budget
			honours = tr.random.IntN(2) == 0
			opts := []promptrails.Option{
				promptrails.WithoutEnvironment(), promptrails.WithBaseURL("http://localhost"), promptrails.WithWorkspace("w"),
				promptrails.WithHTTPClient(&http.Client{Transport: tr.transport}), promptrails.WithTimeout(10 * time.Second), promptrails.WithAccessToken(sentToken),
			}
			client = must[*promptrails.Client](tr.t)(promptrails.NewClient(opts...))
		}
		tr.call(client, fmt.Sprint("call", i), honours)
	}
	// Wait for delayed requests to reach the server.
	time.Sleep(10 * time.Minute)
	synctest.Wait()
	for id, c := range tr.calls {
		unknown := c.err != nil && strings.Contains(c.err.Error(), "not known")
		switch {
		case c.list:
		case c.err == nil && c.done == 0:
			tr.t.Errorf("%s %s: got no error and no change at the server, want an error\n%s", id, c.name, strings.Join(c.log, "\n"))
		case c.err != nil && !unknown && c.done > 0:
			tr.t.Errorf("%s %s changed the server: got error %v, want an error that reports an unknown outcome\n%s", id, c.name, c.err, strings.Join(c.log, "\n"))
		case c.honours && c.done > 1:
			tr.t.Errorf("%s %s: got %d changes at the server, want 1\n%s", id, c.name, c.done, strings.Join(c.log, "\n"))
		}
	}
}

// call calls a random method of a random service.
func (tr *trial) call(client *promptrails.Client, id string, honours bool) {
	services := reflect.ValueOf(client).Elem()
	var methods []reflect.Value
	var names []string
	for i := range services.NumField() {
		if field := services.Type().Field(i); field.IsExported() {
			for j := range services.Field(i).NumMethod() {
				methods = append(methods, services.Field(i).Method(j))
				names = append(names, field.Name+"."+services.Field(i).Type().Method(j).Name)
			}
		}
	}
	n := tr.random.IntN(len(methods))
	method := methods[n]
	ctx, cancel := context.WithTimeout(tr.t.Context(), time.Duration(1+tr.random.IntN(120))*time.Second)
	defer cancel()
	c := &trialCall{name: names[n], honours: honours, style: tr.random.IntN(8), items: tr.random.IntN(350)}
	mutates := !strings.HasPrefix(methodOf(names[n]), "Get") && !slices.Contains([]string{"List", "All", "Plan", "Self", "Curr", "Head", "Tail", "Subs", "Usag", "Bala", "Inve"}, methodOf(names[n])[:4]) && !strings.HasPrefix(methodOf(names[n]), "All")
	c.list = !mutates
	tr.mu.Lock()
	tr.calls[id] = c
	tr.mu.Unlock()

	var args []reflect.Value
	for i := range method.Type().NumIn() {
		switch in := method.Type().In(i); {
		case method.Type().IsVariadic() && i == method.Type().NumIn()-1:
			args = append(args, reflect.ValueOf(promptrails.WithHeader("X-Call", id)), reflect.ValueOf(promptrails.WithPrefetch(tr.random.IntN(4))))
		case in == reflect.TypeFor[context.Context]():
			args = append(args, reflect.ValueOf(ctx))
		default:
			args = append(args, tr.argument(in, names[n], id))
		}
	}
	out := method.Call(args)
	if seq := out[0]; len(out) == 1 && seq.Kind() == reflect.Func {
		c.err = tr.iterate(c, id, seq)
	} else {
		c.err, _ = reflect.TypeAssert[error](out[len(out)-1])
		if len(out) == 2 && c.err == nil && out[0].IsZero() {
			tr.t.Errorf("%s %s: got a nil value and no error, want one of them", id, c.name)
		}
		if counts, ok := reflect.TypeAssert[map[promptrails.ResourceKind]int](out[0]); ok && c.err == nil && counts[promptrails.KindPrompts] != c.items && !slices.Contains(c.log, "    fault 2") {
			tr.t.Errorf("%s %s: got %d prompts, want %d\n%s", id, c.name, counts[promptrails.KindPrompts], c.items, strings.Join(c.log, "\n"))
		}
		if plans, ok := reflect.TypeAssert[[]*promptrails.Plan](out[0]); ok && c.err == nil && len(plans) != c.items {
			tr.t.Errorf("%s %s: got %d plans, want %d", id, c.name, len(plans), c.items)
		}
	}
	tr.checkSecrets(id, c)
}

// methodOf returns the method's name, padded to at least four bytes.
func methodOf(name string) string {
	_, method, _ := strings.Cut(name, ".")
	return method + "    "
}

// argument returns a value for a parameter. Every secret in it is sentSecret.
func (tr *trial) argument(in reflect.Type, method, id string) reflect.Value {
	switch in {
	case reflect.TypeFor[string]():
		return reflect.ValueOf(id)
	case reflect.TypeFor[promptrails.ResourceKind]():
		return reflect.ValueOf([]promptrails.ResourceKind{promptrails.KindPrompts, promptrails.KindMemories.Of("a"), "agents/a/versions"}[tr.random.IntN(3)])
	case reflect.TypeFor[promptrails.Money]():
		return reflect.ValueOf(promptrails.Money{Amount: 100, Currency: "USD"})
	case reflect.TypeFor[time.Duration]():
		return reflect.ValueOf(time.Minute)
	case reflect.TypeFor[promptrails.Secret]():
		return reflect.ValueOf(promptrails.NewSecret(sentSecret))
	case reflect.TypeFor[any]():
		return reflect.ValueOf(map[string]any{"name": "n", "value": promptrails.NewSecret(sentSecret)})
	case reflect.TypeFor[*promptrails.TailParams]():
		return reflect.ValueOf(&promptrails.TailParams{Limit: 1 + tr.random.IntN(100), Interval: time.Second})
	case reflect.TypeFor[*promptrails.ListChangelogParams]():
		order := []promptrails.Order{promptrails.OrderAscending, promptrails.OrderDescending, ""}[tr.random.IntN(3)]
		return reflect.ValueOf(&promptrails.ListChangelogParams{Order: order})
	}
	v := reflect.New(in).Elem()
	if in.Kind() == reflect.String {
		v.SetString("x")
	}
	if in.Kind() == reflect.Pointer {
		v.Set(reflect.New(in.Elem()))
		if strings.HasPrefix(methodOf(method), "List") || strings.HasPrefix(methodOf(method), "All") {
			return v
		}
		for i := range in.Elem().NumField() {
			switch field := v.Elem().Field(i); field.Type() {
			case reflect.TypeFor[promptrails.Secret]():
				field.Set(reflect.ValueOf(promptrails.NewSecret(sentSecret)))
			case reflect.TypeFor[*promptrails.Secret]():
				field.Set(reflect.ValueOf(new(promptrails.NewSecret(sentSecret))))
			case reflect.TypeFor[string]():
				field.SetString("x")
			}
		}
	}
	return v
}

// iterate ranges over a sequence, and compares it with the server's list.
func (tr *trial) iterate(c *trialCall, id string, seq reflect.Value) (failed error) {
	var got []string
	yield := reflect.MakeFunc(seq.Type().In(0), func(in []reflect.Value) []reflect.Value {
		if err, _ := reflect.TypeAssert[error](in[1]); err != nil {
			failed = err
			return []reflect.Value{reflect.ValueOf(false)}
		}
		if e, ok := reflect.TypeAssert[*promptrails.ChangelogEntry](in[0]); ok {
			got = append(got, fmt.Sprint(e.Sequence))
		} else {
			item := in[0].Elem().FieldByName("ID")
			if !item.IsValid() {
				item = in[0].Elem().FieldByName("AgentID")
			}
			got = append(got, item.String())
		}
		return []reflect.Value{reflect.ValueOf(true)}
	})
	seq.Call([]reflect.Value{yield})
	want := make([]string, c.items)
	for i := range want {
		want[i] = strconv.Itoa(i + 1)
	}
	if strings.HasSuffix(c.name, ".Tail") {
		if failed == nil || len(got) > len(want) || !slices.Equal(got, want[:len(got)]) {
			tr.t.Errorf("%s %s: got %d entries %v and error %v, want a prefix of 1 to %d and an error", id, c.name, len(got), got, failed, c.items)
		}
		if !errors.Is(failed, context.DeadlineExceeded) && !errors.Is(failed, promptrails.ErrValidation) && !errors.Is(failed, promptrails.ErrNotFound) { // the proxy returns validation and not-found errors in the API's format
			if _, chain := errors.AsType[*promptrails.ChainError](failed); !chain || !slices.Contains(c.log, "reorder") {
				tr.t.Errorf("%s %s: got error %v, want it to continue until the deadline\n%s", id, c.name, failed, strings.Join(c.log, "\n"))
			}
		}
		return failed
	}
	slices.SortFunc(got, func(a, b string) int { x, _ := strconv.Atoi(a); y, _ := strconv.Atoi(b); return x - y })
	if failed == nil && !slices.Equal(got, want) {
		tr.t.Errorf("%s %s (style %d): got %d items without an error, want each of %d once\n%s", id, c.name, c.style, len(got), c.items, strings.Join(c.log, "\n"))
	}
	return failed
}

// checkSecrets reports a secret in the error of a call, plain or encoded.
func (tr *trial) checkSecrets(id string, c *trialCall) {
	if c.err == nil {
		return
	}
	text := fmt.Sprintf("%v %+v", c.err, c.err)
	if e, ok := errors.AsType[*promptrails.Error](c.err); ok {
		text += string(e.Details) + e.RequestID + fmt.Sprint(errors.Unwrap(e))
	}
	for _, secret := range []string{sentSecret, sentToken, newSecret} {
		for _, part := range []string{secret[:len(secret)/2], secret[len(secret)/2:], html.EscapeString(secret[:20]), url.QueryEscape(secret[:20]), base64.StdEncoding.EncodeToString([]byte(secret))[:24]} {
			if strings.Contains(text, part) {
				tr.t.Errorf("%s %s: got error %s, want it without the secret %q", id, c.name, text, secret)
			}
		}
	}
}

// sharedSource is a random source for concurrent use by the client and the proxy.
type sharedSource struct {
	mu     sync.Mutex
	source rand.Source
}

func (s *sharedSource) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source.Uint64()
}
