package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestMain runs the server if the test started it.
func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		if err := run(); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// A round has every row, with a ratio for each client.
func TestCompare(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := &options{
		rounds: 1, perSide: time.Millisecond, only: regexp.MustCompile(""), entries: 300, credentials: 300, slowEntries: 300,
		cpuProfile: filepath.Join(dir, "cpu"), memProfile: filepath.Join(dir, "memory"),
	}
	var text strings.Builder
	if err := compare(t.Context(), o, &text); err != nil {
		t.Fatal(err)
	}
	ratios := ` \| \d+( \| \d+\.\d\d \(\d+\.\d\d–\d+\.\d\d\)){4} \| \d.* [kM]B \|`
	for _, want := range []string{
		`\| promptrails` + ratios,
		`\| promptrails, credentials` + ratios, `\| promptrails, changelog entries` + ratios,
		`\| promptrails, WithPrefetch\(8\)` + ratios,
		`\| promptrails, changelog by sequence` + ratios, `\| promptrails, credentials by number` + ratios,
		`\| floor \| 300( \| -?\d+){5} \|`, `\| promptrails, WithPrefetch\(8\) \| 300( \| -?\d+){5} \|`,
		`\| scope refusal \| \d\S+ \Ss \| \d\S+ \Ss \| \d \| \d.*B \| – \|`, `\| Authenticate, cached key \| \d\S+ \Ss \| \d\S+ \Ss \| \d \| \d.*B \| – \|`, `\| VerifyChangelog \| \d\S+ \Ss \| \d\S+ \Ss \| \d+ \| \d.*B \| \d+ \|`,
	} {
		if !regexp.MustCompile(want).MatchString(text.String()) {
			t.Errorf("tables: got\n%s\nwant a row %s", text.String(), want)
		}
	}
	for _, p := range peers {
		rows := regexp.MustCompile(`\| `+p.name+`( v\S+)?`+ratios).FindAllString(text.String(), -1)
		if len(rows) != 3 {
			t.Errorf("rows of %s: got %d, want 3 in\n%s", p.name, len(rows), text.String())
		}
	}
	for _, file := range []string{o.cpuProfile, o.memProfile} {
		if info, err := os.Stat(file); err != nil || info.Size() == 0 {
			t.Errorf("profile %s: got %v and error %v, want a file with content", file, info, err)
		}
	}
}

// The floor decodes all that the server sent, so it does no less than a client.
func TestFloorDecodesAll(t *testing.T) {
	t.Parallel()
	handler, err := newHandler(pageSize+1, pageSize)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	f := newFloor(server.URL)
	t.Cleanup(f.client.CloseIdleConnections)
	documents := map[string]any{
		credentialPath:  new(envelope[credential]),
		credentialsPage: new(page[credential]),
		changelogPage:   new(page[entry]),
	}
	for _, p := range peers {
		for _, d := range []document{p.one, p.many} {
			if d.value != nil {
				documents[d.target] = reflect.New(reflect.TypeOf(d.value)).Interface()
			}
		}
	}
	for target, out := range documents {
		var want any
		if err := f.get(t.Context(), target, &want); err != nil {
			t.Fatal(err)
		}
		if err := f.get(t.Context(), target, out); err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		if lost := missing(want, got); lost != "" {
			t.Errorf("GET %s: the floor does not decode %s", target, lost)
		}
	}
}

// missing returns the path of a member of want that got does not have.
func missing(want, got any) string {
	switch want := want.(type) {
	case map[string]any:
		members, _ := got.(map[string]any)
		for name, value := range want {
			other, ok := members[name]
			if !ok {
				return "." + name
			}
			if lost := missing(value, other); lost != "" {
				return "." + name + lost
			}
		}
	case []any:
		items, _ := got.([]any)
		if len(items) != len(want) {
			return fmt.Sprintf("[%d]", len(items))
		}
		for i, value := range want {
			if lost := missing(value, items[i]); lost != "" {
				return fmt.Sprintf("[%d]%s", i, lost)
			}
		}
	}
	return ""
}

func TestScaled(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0.00 ns", 3: "3.00 ns", 9.996: "10.0 ns", 99.96: "100 ns", 123.4: "123 ns", 999.6: "1.00 µs", 61_800: "61.8 µs", 2.5e9: "2.50 s", 4e12: "4000 s"} {
		if got := duration(v); got != want {
			t.Errorf("%v ns: got %s, want %s", v, got, want)
		}
	}
}
