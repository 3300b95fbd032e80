package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	promptrails "github.com/promptrails-community/promptrails-go"
)

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func TestSeries(t *testing.T) {
	t.Parallel()
	s := newSeries("executions", noon, noon.AddDate(0, 0, 3))
	for _, at := range []time.Time{noon, noon.AddDate(0, 0, 1), noon.AddDate(0, 0, 1), noon.AddDate(0, 0, 3), noon.AddDate(0, 0, 4), noon.AddDate(0, 0, -1)} {
		s.add(at, 1)
	}
	if want := []float64{1, 2, 0, 1}; !slices.Equal(s.Values, want) {
		t.Errorf("a day: got %v, want %v", s.Values, want)
	}
	if got, want := s.left(6).Values, []float64{9, 7, 7, 6}; !slices.Equal(got, want) {
		t.Errorf("left: got %v, want %v", got, want)
	}
	if got := newSeries("left", noon.AddDate(-1, 0, 0), noon); len(got.Values) != maxDays || got.From != noon.Truncate(24*time.Hour).AddDate(0, 0, 1-maxDays) {
		t.Errorf("a year: got %d days from %s, want the latest %d", len(got.Values), got.From, maxDays)
	}
	balance := balanceSeries([]*promptrails.Transaction{
		{CreatedAt: noon.AddDate(0, 0, 2), BalanceAfterMicros: 3_500_000}, {CreatedAt: noon.Add(time.Minute), BalanceAfterMicros: 2_000_000}, {CreatedAt: noon, BalanceAfterMicros: 1_000_000},
	}, noon.AddDate(0, 0, 3))
	if want := []float64{2, 2, 3.5, 3.5}; !slices.Equal(balance.Values, want) {
		t.Errorf("balance: got %v, want %v", balance.Values, want)
	}
}

// The URL of a chart has its values, and no others are drawn.
func TestChart(t *testing.T) {
	t.Parallel()
	site := newSite(t, promptrails.PlanStarter)
	b := site.owner(t)
	s := &series{"left", noon.Truncate(24 * time.Hour), []float64{9, 7.25, -1}}
	u, err := url.Parse(s.URL("dark"))
	if err != nil {
		t.Fatal(err)
	}
	got, ok := readSeries(u.Query())
	if !ok || got.Name != s.Name || !got.From.Equal(s.From) || !slices.Equal(got.Values, s.Values) {
		t.Errorf("readSeries: got %+v, want %+v", got, s)
	}
	for _, look := range []string{"light", "dark", "small light", "small dark"} {
		for _, name := range []string{"executions", "left", "balance"} {
			s.Name = name
			image := b.get(t, s.URL(look)).shows(t, 200, "<svg", "10 Mar")
			checkImage(t, image.body)
		}
	}
	newBrowser(t, site.url).get(t, s.URL("light")).shows(t, 401)
	for _, query := range []string{
		"", "name=left", "name=other&from=2026-01-01&values=1", "name=left&from=x&values=1", "name=left&from=2026-01-01&values=NaN", "name=left&from=2026-01-01&values=Inf",
		"name=left&from=2026-01-01&values=1e99", "name=left&from=2026-01-01&values=%3Cscript%3E", "name=left&from=2026-01-01&values=" + strings.Repeat("1+", maxDays+1),
	} {
		b.get(t, "/chart.svg?"+query).shows(t, 404)
	}
	for _, values := range [][]float64{{0}, {0, 0, 0}, {1}, {-3, -2}, make([]float64, maxDays)} {
		for _, name := range []string{"executions", "left"} {
			if image, err := (&series{name, noon, values}).draw("light"); err != nil {
				t.Errorf("draw %s %v: got error %v", name, values, err)
			} else {
				checkImage(t, string(image))
			}
		}
	}
}

// checkImage fails the test unless an image is well-formed, and has no scripts and links.
func checkImage(t *testing.T, image string) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader([]byte(image)))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("image: got error %v, want XML\n%s", err, image)
		}
		if start, ok := token.(xml.StartElement); ok {
			if name := start.Name.Local; name == "script" || name == "a" || name == "image" || name == "foreignObject" {
				t.Errorf("image: got the element %s, want shapes and text only", name)
			}
			for _, a := range start.Attr {
				if strings.HasPrefix(a.Name.Local, "on") || a.Name.Local == "href" {
					t.Errorf("image: got the attribute %s, want none that acts", a.Name.Local)
				}
			}
		}
	}
}

// The numbers next to the bars are whole, and there are few of them.
func TestCountAxis(t *testing.T) {
	t.Parallel()
	for most, want := range map[float64][2]float64{0: {1, 1}, 1: {1, 1}, 5: {5, 5}, 6: {6, 3}, 16: {20, 4}, 37: {40, 4}, 500: {500, 5}, 501: {600, 3}, 12345: {15000, 3}, 1e15: {1e15, 5}} {
		if end, steps := countAxis(most); end != want[0] || steps != int(want[1]) {
			t.Errorf("countAxis(%g): got %g and %d, want %v", most, end, steps, want)
		}
	}
}
