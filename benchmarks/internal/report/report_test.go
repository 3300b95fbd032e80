package report

import (
	"strings"
	"testing"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values  []float64
		q, want float64
	}{
		{nil, 0.5, 0},
		{[]float64{3}, 0.5, 3},
		{[]float64{3}, 1, 3},
		{[]float64{4, 1}, 0.5, 2.5},
		{[]float64{9, 1, 5}, 0.5, 5},
		{[]float64{9, 1, 5, 6}, 0.5, 5.5},
		{[]float64{9, 1, 5, 6, 7}, 0, 1},
		{[]float64{9, 1, 5, 6, 7}, 0.25, 5},
		{[]float64{9, 1, 5, 6, 7}, 0.75, 7},
		{[]float64{9, 1, 5, 6, 7}, 1, 9},
	} {
		if got := Quantile(test.values, test.q); got != test.want {
			t.Errorf("quantile %v of %v: got %v, want %v", test.q, test.values, got, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	empty, one := Table{Columns: []string{"a"}}, Table{Columns: []string{"a", "b"}}
	one.Add("1", "2")
	for _, table := range []Table{empty, one} {
		if err := table.Print(&text, "Letters"); err != nil {
			t.Fatal(err)
		}
	}
	if want := "### Letters\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"; text.String() != want {
		t.Errorf("tables: got %q, want %q", text.String(), want)
	}
}
