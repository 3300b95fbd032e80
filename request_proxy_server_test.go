package promptrails_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// chance returns a random number in [0, n).
func (tr *trial) chance(n int) int {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.random.IntN(n)
}

// proxy forwards a request to the server, or injects a fault.
func (tr *trial) proxy(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	tr.mu.Lock()
	c := tr.calls[r.Header.Get("X-Call")]
	tr.mu.Unlock()
	if c == nil {
		tr.t.Errorf("%s %s: got X-Call %q, want the id of a call", r.Method, r.URL, r.Header.Get("X-Call"))
		return
	}
	note := func(s string) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		c.log = append(c.log, s)
	}
	note(fmt.Sprintf("  %s %s", r.Method, r.URL))
	query := r.URL.Query()
	if tr.chance(8) == 0 && query.Get("limit") != "" { // cap the page size
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
		case 1: // a router
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"message":"Not Found"}`)
		default: // the API, about another object
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
		hangUp("") // before the server has the request
	case 9:
		forward()
		hangUp("") // after the server has processed the request
	case 10: // half of the body, with the wrong length
		rec := forward()
		hangUp(fmt.Sprintf("HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", rec.Code, rec.Body.Len()+1, rec.Body.Bytes()[:rec.Body.Len()/2]))
	case 11: // half of the JSON document
		rec := forward()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
	case 12: // duplicate the request
		rec := forward()
		forward()
		copyResponse(w, rec)
	case 13: // maybe after the client's timeout
		time.Sleep(time.Duration(tr.chance(40)) * time.Second)
		copyResponse(w, forward())
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
		if json.Unmarshal(rec.Body.Bytes(), &list) == nil && list.Data != nil { // remove meta and reorder the items
			note("reorder")
			tr.mu.Lock()
			tr.random.Shuffle(len(list.Data), func(i, j int) { list.Data[i], list.Data[j] = list.Data[j], list.Data[i] })
			tr.mu.Unlock()
			rec.Body = new(bytes.Buffer)
			_ = json.NewEncoder(rec.Body).Encode(list)
		}
		copyResponse(w, rec)
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
		copyResponse(w, rec)
	case 18:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": "validation_error", "message": "bad request: " + echo, "details": map[string]any{"fields": map[string]string{"x": echo}}}})
	case 19:
		w.WriteHeader(200) // without a body
	default:
		copyResponse(w, forward())
	}
}

// copyResponse writes a recorded response to w.
func copyResponse(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	if rec.Code != http.StatusNoContent {
		_, _ = w.Write(rec.Body.Bytes())
	}
}

// server handles a request, and records the change that it makes.
func (tr *trial) server(w http.ResponseWriter, r *http.Request, query url.Values, c *trialCall) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if c.honours {
		w.Header().Set("Idempotency-Key-Honored", "true")
	}
	const object = `{"data":{"id":"x","workspace_id":"w","name":"n","plan":"free","masked":"m","reason":"r","valid":true,"sequence":1,"hash":"h","available_micros":1,
		"period_start":"2026-01-01T00:00:00Z","key":"` + newSecret + `","token":"` + newSecret + `","secret":"` + newSecret + `"}}`
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
		c.done-- // the object was already deleted
		w.WriteHeader(http.StatusNotFound)
		_, _ = fmt.Fprintf(w, `{"error":{"code":"not_found","message":"%s not found"}}`, noun)
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, object)
	}
}

// page writes a page of a list in the style of the call.
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
	if whole || style == 5 { // no pagination
		begin, limit = 0, c.items
	}
	end := min(begin+limit, c.items)
	var items []string
	for i := begin; i < end && (style != 6 || whole); i++ {
		items = append(items, fmt.Sprintf(`{"id":"%d","agent_id":"%d"}`, i+1, i+1))
	}
	if style == 6 && !whole { // fixed page size, no meta
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

// changelog writes a page of at most 40 entries, even if limit is larger.
func (c *trialCall) changelog(w io.Writer, query url.Values) {
	number := func(name string, def int) int {
		if n, err := strconv.Atoi(query.Get(name)); err == nil {
			return n
		}
		return def
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
