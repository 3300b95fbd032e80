package promptrails_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
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

// TestBehindAHostileProxy calls every method of every service at a server that
// knows the truth, through a proxy that answers in its place, cuts, truncates,
// duplicates, delays, drops meta, caps and reorders pages. A call without an
// error was done, one whose error does not say that the outcome is not known was
// not, a list without an error is complete, and no error holds a secret.
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

// trial is one sequence of calls.
type trial struct {
	t         *testing.T
	random    *rand.Rand
	mu        sync.Mutex
	calls     map[string]*trialCall
	transport *http.Transport
	proxied   chan net.Conn
}

// trialCall is one call, and what the server knows of it.
type trialCall struct {
	name    string
	list    bool
	honours bool // the server honours Idempotency-Key
	style   int  // of the server's lists
	items   int
	done    int // how often the server did it
	key     string
	err     error
	log     []string
}

// The secrets that the calls send, and that the server makes.
const (
	sentSecret = "sk-live &\"sent\\secret/4eC39HqLyjWDarjtT1zdp7dc"
	sentToken  = "tok-9f8e7d6c5b4a3f2e1d0c9b8a7f6e5d4c"
	madeSecret = "pr_live_MADEbyTHEserver0123456789abcdefghij"
)

func newTrial(t *testing.T, seed uint64) *trial {
	t.Helper()
	tr := &trial{t: t, random: rand.New(&sharedSource{source: rand.NewPCG(seed, 1)}), calls: map[string]*trialCall{}, proxied: make(chan net.Conn)}
	tr.transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			here, there := net.Pipe()
			select {
			case tr.proxied <- there:
				return here, nil
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

// pipes is a listener of connections that are made in the process.
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

func (tr *trial) run(calls int) {
	var client *promptrails.Client
	honours := false
	for i := range calls {
		if i%10 == 0 { // a new one, whose budget of retries is full
			honours = tr.random.IntN(2) == 0
			opts := []promptrails.Option{
				promptrails.WithoutEnvironment(), promptrails.WithBaseURL("http://localhost"), promptrails.WithWorkspace("w"),
				promptrails.WithHTTPClient(&http.Client{Transport: tr.transport}), promptrails.WithTimeout(10 * time.Second), promptrails.WithAccessToken(sentToken),
			}
			client = must[*promptrails.Client](tr.t)(promptrails.NewClient(opts...))
		}
		tr.call(client, fmt.Sprint("call", i), honours)
	}
	// What was delayed may still arrive.
	time.Sleep(10 * time.Minute)
	synctest.Wait()
	for id, c := range tr.calls {
		said := c.err != nil && strings.Contains(c.err.Error(), "not known")
		switch {
		case c.list:
		case c.err == nil && c.done == 0:
			tr.t.Errorf("%s %s reported a success, and was not done\n%s", id, c.name, strings.Join(c.log, "\n"))
		case c.err != nil && !said && c.done > 0:
			tr.t.Errorf("%s %s was done, and its error does not say that the outcome is not known: %v\n%s", id, c.name, c.err, strings.Join(c.log, "\n"))
		case c.honours && c.done > 1:
			tr.t.Errorf("%s %s was done %d times\n%s", id, c.name, c.done, strings.Join(c.log, "\n"))
		}
	}
}

// call makes one call of a method that reflection finds.
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
			tr.t.Errorf("%s %s returned neither a value nor an error", id, c.name)
		}
		if counts, ok := reflect.TypeAssert[map[promptrails.ResourceKind]int](out[0]); ok && c.err == nil && counts[promptrails.KindPrompts] != c.items && !slices.Contains(c.log, "    fault 2") {
			tr.t.Errorf("%s %s counted %d prompts, want %d\n%s", id, c.name, counts[promptrails.KindPrompts], c.items, strings.Join(c.log, "\n"))
		}
		if plans, ok := reflect.TypeAssert[[]*promptrails.Plan](out[0]); ok && c.err == nil && len(plans) != c.items {
			tr.t.Errorf("%s %s returned %d plans, want %d", id, c.name, len(plans), c.items)
		}
	}
	tr.checkSecrets(id, c)
}

func methodOf(name string) string {
	_, method, _ := strings.Cut(name, ".")
	return method + "    "
}

// argument returns a value for a parameter: every secret in it is sentSecret.
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

// iterate ranges over a sequence, and holds it against the truth.
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
			tr.t.Errorf("%s %s got %d of %d entries, out of order, and %v", id, c.name, len(got), c.items, failed)
		}
		if !errors.Is(failed, context.DeadlineExceeded) && !errors.Is(failed, promptrails.ErrValidation) && !errors.Is(failed, promptrails.ErrNotFound) { // the latter two in the API's form
			if _, chain := errors.AsType[*promptrails.ChainError](failed); !chain || !slices.Contains(c.log, "reorder") {
				tr.t.Errorf("%s %s ended for %v\n%s", id, c.name, failed, strings.Join(c.log, "\n"))
			}
		}
		return failed
	}
	slices.SortFunc(got, func(a, b string) int { x, _ := strconv.Atoi(a); y, _ := strconv.Atoi(b); return x - y })
	if failed == nil && !slices.Equal(got, want) {
		tr.t.Errorf("%s %s (style %d) returned %d items without an error, want each of %d once\n%s", id, c.name, c.style, len(got), c.items, strings.Join(c.log, "\n"))
	}
	return failed
}

func (tr *trial) checkSecrets(id string, c *trialCall) {
	if c.err == nil {
		return
	}
	text := fmt.Sprintf("%v %+v", c.err, c.err)
	if e, ok := errors.AsType[*promptrails.Error](c.err); ok {
		text += string(e.Details) + e.RequestID + fmt.Sprint(errors.Unwrap(e))
	}
	for _, secret := range []string{sentSecret, sentToken, madeSecret} {
		for _, part := range []string{secret[:len(secret)/2], secret[len(secret)/2:], html.EscapeString(secret[:20]), url.QueryEscape(secret[:20]), base64.StdEncoding.EncodeToString([]byte(secret))[:24]} {
			if strings.Contains(text, part) {
				tr.t.Errorf("%s %s: a secret is in %s", id, c.name, text)
			}
		}
	}
}

// chance is drawn for each request.
func (tr *trial) chance(n int) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.random.IntN(n)
}

// proxy stands in front of the server.
func (tr *trial) proxy(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	tr.mu.Lock()
	c := tr.calls[r.Header.Get("X-Call")]
	tr.mu.Unlock()
	if c == nil {
		tr.t.Errorf("%s %s belongs to no call", r.Method, r.URL)
		return
	}
	note := func(s string) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		c.log = append(c.log, s)
	}
	note(fmt.Sprintf("  %s %s", r.Method, r.URL))
	query := r.URL.Query()
	if tr.chance(8) == 0 && query.Get("limit") != "" { // it caps pages
		if limit, _ := strconv.Atoi(query.Get("limit")); limit > 20 {
			note("cap")
			query.Set("limit", "20")
		}
	}
	forward := func() *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		tr.server(rec, r, query, c)
		return rec
	}
	hangUp := func(text string) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}
	page := func(code int, body string) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
	echo := fmt.Sprintf("%v %s", r.Header, body)
	fault := tr.chance(45)
	note(fmt.Sprint("    fault ", fault))
	switch fault {
	case 0:
		page(502, "<h1>Bad Gateway</h1>"+html.EscapeString(echo))
	case 1:
		page(503, url.QueryEscape(echo))
	case 2:
		switch tr.chance(3) {
		case 0:
			page(404, "default backend - 404")
		case 1: // a router's
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"message":"Not Found"}`)
		default: // the API's, about something else
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"error":{"code":"not_found","message":"session not found"}}`)
		}
	case 3:
		page(401, "<h1>Sign in</h1>"+base64.StdEncoding.EncodeToString([]byte(echo)))
	case 4:
		page(408, "")
	case 5:
		page(421, "")
	case 6:
		page(425, "")
	case 7:
		w.Header().Set("Retry-After", "1")
		page(429, "")
	case 8:
		hangUp("") // before it was forwarded
	case 9:
		forward()
		hangUp("") // after it
	case 10: // half a body
		rec := forward()
		hangUp(fmt.Sprintf("HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", rec.Code, rec.Body.Len()+1, rec.Body.Bytes()[:rec.Body.Len()/2]))
	case 11: // half a document
		rec := forward()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
	case 12: // twice
		rec := forward()
		forward()
		answer(w, rec)
	case 13: // too late for the client, who has given up
		time.Sleep(time.Duration(tr.chance(40)) * time.Second)
		answer(w, forward())
	case 14:
		forward()
		page(504, "")
	case 15:
		page(200, "<html>maintenance</html>")
	case 16:
		rec := forward()
		var list struct {
			Data []json.RawMessage `json:"data"`
		}
		if json.Unmarshal(rec.Body.Bytes(), &list) == nil && list.Data != nil { // without its meta, and in another order
			note("reorder")
			tr.mu.Lock()
			tr.random.Shuffle(len(list.Data), func(i, j int) { list.Data[i], list.Data[j] = list.Data[j], list.Data[i] })
			tr.mu.Unlock()
			rec.Body = new(bytes.Buffer)
			_ = json.NewEncoder(rec.Body).Encode(list)
		}
		answer(w, rec)
	case 17:
		rec := forward()
		var list struct {
			Data []json.RawMessage `json:"data"`
		}
		if json.Unmarshal(rec.Body.Bytes(), &list) == nil && list.Data != nil {
			note("no meta")
			rec.Body = new(bytes.Buffer)
			_ = json.NewEncoder(rec.Body).Encode(list)
		}
		answer(w, rec)
	case 18:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": "validation_error", "message": "bad request: " + echo, "details": map[string]any{"fields": map[string]string{"x": echo}}}})
	case 19:
		w.WriteHeader(200) // and nothing else
	default:
		answer(w, forward())
	}
}

func answer(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	if rec.Code != http.StatusNoContent {
		_, _ = w.Write(rec.Body.Bytes())
	}
}

// server is the server that knows the truth.
func (tr *trial) server(w http.ResponseWriter, r *http.Request, query url.Values, c *trialCall) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if c.honours {
		w.Header().Set("Idempotency-Key-Honored", "true")
	}
	const object = `{"data":{"id":"x","workspace_id":"w","name":"n","plan":"free","masked":"m","reason":"r","valid":true,"sequence":1,"hash":"h","available_micros":1,
		"period_start":"2026-01-01T00:00:00Z","key":"` + madeSecret + `","token":"` + madeSecret + `","secret":"` + madeSecret + `"}}`
	if r.Method == http.MethodGet {
		switch last := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]; {
		case last == "head":
			_, _ = fmt.Fprintf(w, `{"data":{"workspace_id":"w","sequence":%d,"hash":"h"}}`, max(c.items, 1))
		case last == "changelog":
			c.changelog(w, query)
		case strings.HasPrefix(last, "call"), slices.Contains([]string{"current", "me", "subscription", "usage", "balance", "data-masking"}, last):
			_, _ = io.WriteString(w, object)
		default:
			c.page(w, query, slices.Contains([]string{"deliveries", "transactions"}, last), last == "plans")
		}
		return
	}
	key := r.Header.Get("Idempotency-Key")
	again := c.done > 0
	if !again || !c.honours || key != c.key {
		c.done++
	}
	c.key = key
	switch {
	case r.Method == http.MethodDelete && again && !c.honours:
		noun := "member"
		if strings.HasPrefix(r.URL.Path, "/api/v1/workspaces/") {
			noun = "workspace"
		}
		for _, n := range []string{"credential", "invitation", "workspace", "channel", "override", "memory", "prompt", "version", "api-key"} {
			if strings.Contains(strings.ReplaceAll(r.URL.Path, "memories", "memory"), n) {
				noun = n
			}
		}
		c.done-- // it was gone
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"error":{"code":"not_found","message":"%s not found"}}`, noun)
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, object)
	}
}

// page answers with a page of a list, in one of the styles that servers have.
func (c *trialCall) page(w io.Writer, query url.Values, cursorsOnly, whole bool) {
	limit, _ := strconv.Atoi(query.Get("limit"))
	number, _ := strconv.Atoi(query.Get("page"))
	limit, number = max(limit, 1), max(number, 1)
	style := c.style
	if cursorsOnly {
		style = 0
	}
	begin := (number - 1) * limit
	if after := query.Get("after"); after != "" {
		begin, _ = strconv.Atoi(after)
	}
	if whole || style == 5 { // it does not page
		begin, limit = 0, c.items
	}
	end := min(begin+limit, c.items)
	var items []string
	for i := begin; i < end && (style != 6 || whole); i++ {
		items = append(items, fmt.Sprintf(`{"id":"%d","agent_id":"%d"}`, i+1, i+1))
	}
	if style == 6 && !whole { // its pages have one size, without a meta
		begin = (number - 1) * 30
		end = min(begin+30, c.items)
		for i := begin; i < end; i++ {
			items = append(items, fmt.Sprintf(`{"id":"%d","agent_id":"%d"}`, i+1, i+1))
		}
	}
	pages := (c.items + limit - 1) / max(limit, 1)
	meta := ""
	switch style {
	case 0, 1:
		meta = fmt.Sprintf(`,"meta":{"limit":%d`, limit)
		if end < c.items {
			meta += fmt.Sprintf(`,"next_cursor":"%d"`, end)
		}
		if style == 1 && query.Get("after") == "" {
			meta += fmt.Sprintf(`,"total":%d,"page":%d,"pages":%d`, c.items, number, pages)
		}
		meta += "}"
	case 2:
		meta = fmt.Sprintf(`,"meta":{"total":%d,"page":%d,"limit":%d,"pages":%d}`, c.items, number, limit, pages)
	case 3:
		meta = fmt.Sprintf(`,"meta":{"total":%d}`, c.items)
	case 7:
		meta = fmt.Sprintf(`,"meta":{"total_pages":%d}`, pages)
	}
	_, _ = fmt.Fprintf(w, `{"data":[%s]%s}`, strings.Join(items, ","), meta)
}

// changelog answers with entries, at most 40 however many are asked for.
func (c *trialCall) changelog(w io.Writer, query url.Values) {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(query.Get(name)); err == nil {
			return n
		}
		return otherwise
	}
	from, to, limit := number("sequence_from", 1), min(number("sequence_to", c.items), c.items), number("limit", 20)
	ascending := query.Get("order") == "asc"
	if after := number("after", 0); after != 0 && ascending {
		from = after + 1
	} else if after != 0 {
		to = after - 1
	}
	var items []string
	meta := fmt.Sprintf(`{"limit":%d`, limit)
	for ; from <= to && len(items) < min(limit, 40); from, to = from+1, to-1 {
		n := to
		if ascending {
			n, to = from, to+1
		} else {
			from--
		}
		items = append(items, fmt.Sprintf(`{"id":"e%d","sequence":%d}`, n, n))
	}
	if from <= to {
		after := to + 1
		if ascending {
			after = from - 1
		}
		meta += fmt.Sprintf(`,"next_cursor":"%d"`, after)
	}
	_, _ = fmt.Fprintf(w, `{"data":[%s],"meta":%s}}`, strings.Join(items, ","), meta)
}

// sharedSource is a source of the client's and the proxy's goroutines.
type sharedSource struct {
	mu     sync.Mutex
	source rand.Source
}

func (s *sharedSource) Uint64() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source.Uint64()
}
