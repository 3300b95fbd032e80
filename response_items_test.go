package promptrails_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	promptrails "github.com/promptrails-community/promptrails-go"
	"github.com/promptrails-community/promptrails-go/internal/wire"
)

// Item types of callers of Client.Do.
type callersItem struct {
	ID     string         `json:"id"`
	Next   *callersItem   `json:"next,omitempty"`
	Ratio  float64        `json:"ratio"`
	Number json.Number    `json:"number"`
	Any    any            `json:"any"`
	Of     map[string]int `json:"of"`
	Small  int8           `json:"small"`
	Dash   string         `json:"-"`
}

type entriesItem struct {
	ID      string                        `json:"id"`
	Entry   promptrails.ChangelogEntry    `json:"entry"`
	Next    *promptrails.ChangelogEntry   `json:"next"`
	Changes promptrails.Changes           `json:"changes"`
	List    []*promptrails.ChangelogEntry `json:"list"`
}

type embeddingItem struct {
	callersItem
	Text string `json:"text,omitzero"`
}

type untaggedItem struct {
	ID   string `json:"id"`
	Text string
}

type durationItem struct {
	ID   string        `json:"id"`
	Wait time.Duration `json:"wait"`
}

// The items of a list are those that package json decodes, in each form of each
// value. A list that package json cannot decode is an error.
func TestItemsOfPages(t *testing.T) {
	t.Parallel()
	t.Run("APIKey", testItems[promptrails.APIKey])
	t.Run("ChangelogEntry", testItems[promptrails.ChangelogEntry])
	t.Run("Credential", testItems[promptrails.Credential])
	t.Run("Delivery", testItems[promptrails.Delivery])
	t.Run("Member", testItems[promptrails.Member])
	t.Run("Resource", testItems[promptrails.Resource])
	t.Run("UsageEvent", testItems[promptrails.UsageEvent])
	t.Run("a type of a caller", testItems[callersItem])
	t.Run("entries of a changelog", testItems[entriesItem])
	t.Run("an embedded type", testItems[embeddingItem])
	t.Run("no tags", testItems[untaggedItem])
	t.Run("a duration", func(t *testing.T) {
		t.Parallel()
		testPage[durationItem](t, `[{"id":"a","wait":7}]`)
	})
	t.Run("a pointer", testItems[*promptrails.Member])
}

// A program that keeps the id of an item does not keep the rest of it. The test is not
// parallel because it measures the heap.
func TestKeptStrings(t *testing.T) {
	const items, size = 200, 100 << 10
	list := `{"data":[{"id":"k","unknown":"` + strings.Repeat("a", size) + `"}]}`
	c := clientOver(t, &scripted{script: []http.HandlerFunc{status(200, list)}})
	inUse := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // a pool keeps its values until the second collection
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := inUse()
	var kept []string
	for range items {
		keys := must[*promptrails.Page[promptrails.APIKey]](t)(c.APIKeys.List(t.Context(), nil))
		entries := must[*promptrails.Page[promptrails.ChangelogEntry]](t)(c.Changelog.List(t.Context(), nil))
		kept = append(kept, keys.Items[0].ID, entries.Items[0].ID)
	}
	if used := inUse() - before; used > items*size/10 {
		t.Errorf("%d ids of items of %d bytes: got %d bytes in use, want at most %d", len(kept), size, used, items*size/10)
	}
	runtime.KeepAlive(kept)
}

func testItems[T any](t *testing.T) {
	t.Parallel()
	usual := map[string]string{"unknown": `[{"id":"x"}]`, "id": `"text"`, "name": `"text"`, "version": `7`, "created_at": `"2026-01-02T03:04:05.000006Z"`}
	if item := reflect.TypeFor[T](); item.Kind() == reflect.Struct {
		for field := range item.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" {
				name = field.Name
			}
			usual[name] = usualValue(field.Type)
		}
	}
	decoded, refused := 0, 0
	for _, name := range slices.Sorted(maps.Keys(usual)) {
		for _, member := range hostileMembers(name, usual[name]) {
			if testPage[T](t, "["+itemWith(usual, name, member)+" , "+itemWith(usual, "id", `"id" :"b"`)+"]") {
				decoded++
			} else {
				refused++
			}
		}
	}
	for _, item := range []string{`null`, `{}`, `[]`, `"text"`, `7`} {
		testPage[T](t, "["+item+"]")
	}
	if decoded == 0 || refused == 0 {
		t.Errorf("got %d decoded pages and %d errors, want some of each", decoded, refused)
	}
}

// testPage compares a page of a client with the items that package json decodes.
// It reports whether array is valid.
func testPage[T any](t *testing.T, array string) bool {
	t.Helper()
	var want []T
	wantErr := wire.Decode([]byte(array), &want)
	if wantErr == nil && slices.ContainsFunc(want, func(item T) bool { return reflect.ValueOf(&item).Elem().IsZero() }) {
		wantErr = errors.New("an item is empty")
	}
	serve := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":`+array+`}`)
	})
	c := must[*promptrails.Client](t)(promptrails.NewClient(promptrails.WithBaseURL("https://api.example.com"), promptrails.WithAccessToken(token),
		promptrails.WithHTTPClient(&http.Client{Transport: handlerTransport{serve}})))
	page := new(promptrails.Page[T])
	err := c.Do(t.Context(), http.MethodGet, "/api/v1/items", nil, page)
	if (err == nil) != (wantErr == nil) {
		t.Errorf("Do of %s: got error %v, want %v", array, err, wantErr)
	}
	if err != nil || wantErr != nil {
		return false
	}
	got := make([]T, len(page.Items))
	for i, item := range page.Items {
		got[i] = *item
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Do of %s:\ngot  %+v\nwant %+v", array, got, want)
	}
	return true
}

// itemWith returns an object with the usual members, and with another one instead of
// name.
func itemWith(usual map[string]string, name, member string) string {
	members := []string{member}
	for other, value := range usual {
		if other != name && other != "" {
			members = append(members, strconv.Quote(other)+":"+value)
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// usualValue returns a value that servers send for a field of type t.
func usualValue(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return `"2026-01-02T03:04:05.000006Z"`
	case t.Kind() == reflect.Int64, t.Kind() == reflect.Int, t.Kind() == reflect.Int8, t.Kind() == reflect.Float64:
		return `7`
	case t.Kind() == reflect.String:
		return `"7"`
	case t.Kind() == reflect.Bool:
		return `true`
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return `["a","b"]`
	case t.Kind() == reflect.Slice:
		return `[]`
	case t.Kind() == reflect.Pointer:
		return usualValue(t.Elem())
	default:
		return `{}`
	}
}

// hostileMembers returns a member in many forms.
func hostileMembers(name, usual string) []string {
	quoted := strconv.Quote(name)
	members := []string{quoted + ":" + usual, "\n\t" + quoted + " : " + usual + " ", quoted + ":" + usual + "," + quoted + ":" + usual}
	if name != "" {
		members = append(members, fmt.Sprintf(`"\u%04x%s":%s`, name[0], name[1:], usual), fmt.Sprintf(`%q:%s`, strings.ToUpper(name), usual))
	}
	for _, value := range []string{
		`null`, `""`, `"\""`, `"\\"`, `"a\\\"b"`, `"\u00e9\n"`, `"é{[,:"`, `0`, `-0`, `-1`, `1.0`, `1e2`, `200`, `9223372036854775807`, `9223372036854775808`, `true`, `false`,
		`"2026-01-02T03:04:05Z"`, `"2026-01-02T03:04:05+02:00"`, `"2026-01-02T3:04:05Z"`, `"2026-01-02T3:04:05.5Z"`, `"2026-01-02T03:04:05,5Z"`, `"2026-02-30T03:04:05Z"`, `"2026-01-02t03:04:05z"`,
		`"2026-01-02T24:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"2026-01-02T03:04:05.1234567891Z"`, `"2026-01-02T03:04:05.Z"`, `"2026-01-02T03:04:05+25:00"`,
		`[]`, `[ ]`, `[null]`, `["a\u0041","b"]`, `["a",7]`, `[[],[{}]]`, `["` + strings.Repeat(`,","`, 100) + `"]`, `{ "id" : "b" , "name":"\\" }`, `{"id":null,"type":7}`, `{"type":"a","type":"b"}`, `{"from":1,"to":[{"a":"}"}]}`, `"10.50"`, `{"amount":"1.25","currency":"EUR"}`,
	} {
		members = append(members, quoted+":"+value)
	}
	return members
}

func FuzzItemsOfPages(f *testing.F) {
	f.Add(`[{"id":"c","name":"\u00e9","is_valid":null,"version":1,"created_at":"2026-01-02T03:04:05Z"}]`)
	f.Add(`[{"id":"e","sequence":1,"actor":{"type":"user"},"changes":{"a":{"from":1}},"allowed_ips":["10.0.0.0/8"]} , {}]`)
	f.Fuzz(func(t *testing.T, array string) {
		if value := jsontext.Value(array); value.Kind() != '[' || !value.IsValid() {
			return // a list of an envelope that is not valid is an error
		}
		testPage[promptrails.APIKey](t, array)
		testPage[promptrails.ChangelogEntry](t, array)
		testPage[promptrails.Credential](t, array)
		testPage[promptrails.Resource](t, array)
	})
}
