package main

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-analyze/charts"
)

// series is a value for each day. Its chart is an image of its own route, with the values in
// the URL: so the chart and the table next to it have the same values, and the image makes
// no requests to the API. It has only numbers and dates, and so no text of other people.
type series struct {
	Name   string // executions, left or balance
	From   time.Time
	Values []float64
}

const maxDays = 100

// newSeries returns a series from one day to another, both in UTC. If there are too many
// days between, it begins later.
func newSeries(name string, from, to time.Time) *series {
	from, to = from.UTC().Truncate(24*time.Hour), to.UTC().Truncate(24*time.Hour)
	days := int(to.Sub(from).Hours()/24) + 1
	if days > maxDays {
		from, days = to.AddDate(0, 0, 1-maxDays), maxDays
	}
	return &series{name, from, make([]float64, max(1, days))}
}

// add adds a value to the day of a time. Times outside of the series are ignored.
func (s *series) add(at time.Time, value float64) {
	if day := int(math.Floor(at.Sub(s.From).Hours() / 24)); day >= 0 && day < len(s.Values) {
		s.Values[day] += value
	}
}

// left returns how much was left at the end of each day, from the use of each day and from
// how much is left now.
func (s *series) left(now float64) *series {
	l := &series{"left", s.From, make([]float64, len(s.Values))}
	for i, v := range slices.Backward(s.Values) {
		l.Values[i] = now
		now += v
	}
	return l
}

// URL returns the URL of the chart. Its look is light or dark, after small for phones.
func (s *series) URL(look string) string {
	values := make([]string, len(s.Values))
	for i, v := range s.Values {
		values[i] = strconv.FormatFloat(v, 'f', -1, 64)
	}
	return "/chart.svg?" + url.Values{"name": {s.Name}, "from": {s.From.Format(dateLayout)}, "values": {strings.Join(values, " ")}, "look": {look}}.Encode()
}

// Title is the heading of the chart.
func (s *series) Title() string {
	return map[string]string{"executions": "Executions a day", "left": "Executions left in the period", "balance": "Balance at the end of each day, in USD"}[s.Name]
}

// Alt describes the chart for people who do not see it.
func (s *series) Alt() string {
	low, high := s.Values[0], s.Values[0]
	for _, v := range s.Values {
		low, high = min(low, v), max(high, v)
	}
	return fmt.Sprintf("Chart: %s, from %s, %d days. Lowest %s, highest %s, last %s. The table has all values.",
		s.Title(), s.From.Format("2 Jan 2006"), len(s.Values), number(low), number(high), number(s.Values[len(s.Values)-1]))
}

type seriesRow struct {
	Day   time.Time
	Value string
}

// Rows returns the rows of the table, newest first.
func (s *series) Rows() (rows []seriesRow) {
	for i, v := range slices.Backward(s.Values) {
		rows = append(rows, seriesRow{s.From.AddDate(0, 0, i), number(v)})
	}
	return rows
}

func number(v float64) string {
	if v == math.Trunc(v) {
		return grouped(strconv.FormatFloat(v, 'f', 0, 64))
	}
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(v, 'f', 2, 64), ".")
	return grouped(whole) + "." + fraction
}

// readSeries reads the URL of a chart.
func readSeries(query url.Values) (*series, bool) {
	s := &series{Name: query.Get("name")}
	var err error
	if s.From, err = time.Parse(dateLayout, query.Get("from")); err != nil || s.Title() == "" {
		return nil, false
	}
	for text := range strings.FieldsSeq(query.Get("values")) {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(v) || math.Abs(v) > 1e15 || len(s.Values) == maxDays {
			return nil, false
		}
		s.Values = append(s.Values, v)
	}
	return s, len(s.Values) > 0
}

// chart serves the image of a series.
func (c *console) chart(w http.ResponseWriter, r *http.Request) {
	if _, ok := c.client(r.Context()); !ok {
		http.Error(w, "log in first", http.StatusUnauthorized)
		return
	}
	s, ok := readSeries(r.URL.Query())
	if !ok {
		http.Error(w, "no such chart", http.StatusNotFound)
		return
	}
	image, err := s.draw(r.URL.Query().Get("look"))
	if err != nil {
		c.log.ErrorContext(r.Context(), "chart", "error", err)
		http.Error(w, "the chart could not be drawn", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox") // the image has style attributes
	_, _ = w.Write(image)                                                                                                       //nolint:gosec // of numbers and dates only
}

// draw returns the chart as SVG: bars of counts, and lines of amounts that are left.
func (s *series) draw(look string) ([]byte, error) {
	theme, line := chartTheme(strings.HasSuffix(look, "dark"))
	width, height, labels := 640, 240, 6
	if strings.HasPrefix(look, "small") {
		width, height, labels = 340, 200, 2
	}
	days := make([]string, len(s.Values))
	for i := range days {
		days[i] = s.From.AddDate(0, 0, i).Format("2 Jan")
	}
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: width, Height: height, Theme: theme})
	padding := charts.Box{Top: 16, Right: 24, Bottom: 8, Left: 8, IsSet: true}
	labels = min(len(days), labels)
	format := func(v float64) string { return number(v) }
	if s.Name == "executions" {
		o := charts.NewBarChartOptionWithData([][]float64{s.Values})
		o.Theme, o.Padding, o.ValueFormatter = theme, padding, format
		o.CategoryAxis.Labels, o.CategoryAxis.LabelCount = days, labels
		high, steps := countAxis(slices.Max(s.Values))
		o.ValueAxis[0].Min, o.ValueAxis[0].Max, o.ValueAxis[0].LabelCount = new(0.0), &high, steps+1
		err := painter.BarChart(o)
		if err != nil {
			return nil, err
		}
		return painter.Bytes()
	}
	o := charts.NewLineChartOptionWithData([][]float64{s.Values})
	o.Theme, o.Padding, o.ValueFormatter = theme, padding, format
	o.XAxis.Labels, o.XAxis.LabelCount = days, labels
	o.YAxis[0].Min = new(min(0, s.Values[len(s.Values)-1]))
	o.LineStrokeWidth, o.FillArea, o.FillOpacity = line, new(true), 40
	o.Symbol.Shape = charts.SymbolNone
	if err := painter.LineChart(o); err != nil {
		return nil, err
	}
	return painter.Bytes()
}

// countAxis returns the end of an axis of counts, and the number of its steps: whole numbers
// that are easy to read.
func countAxis(most float64) (end float64, steps int) {
	for power := 1.0; ; power *= 10 {
		for _, digit := range []float64{1, 2, 5} {
			if step := digit * power; most <= 5*step {
				steps = max(1, int(math.Ceil(most/step)))
				return step * float64(steps), steps
			}
		}
	}
}

// chartTheme returns colors that match those of console.css.
func chartTheme(dark bool) (charts.ColorPalette, float64) {
	o := charts.ThemeOption{IsDarkMode: dark, BackgroundColor: charts.ColorTransparent}
	text, lines, series := charts.ColorFromHex("#57606f"), charts.ColorFromHex("#e3e6eb"), charts.ColorFromHex("#3b5bdb")
	if dark {
		text, lines, series = charts.ColorFromHex("#a3adbd"), charts.ColorFromHex("#2b323d"), charts.ColorFromHex("#8ea6ff")
	}
	o.TextColor, o.AxisStrokeColor, o.AxisSplitLineColor, o.SeriesColors = text, lines, lines, []charts.Color{series}
	return charts.MakeTheme(o), 2
}
