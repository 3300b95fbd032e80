package report

import (
	"cmp"
	"slices"
)

// Median returns the middle of the values, or the mean of the two in the middle. It
// returns 0 if there are no values.
func Median[T ~int64 | ~float64](values []T) T { return Quantile(values, 0.5) }

// Quantile returns the value that the fraction q of the values, from 0 to 1, are not
// greater than. It interpolates between two values, and returns 0 if there are no
// values.
func Quantile[T ~int64 | ~float64](values []T, q float64) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.SortedFunc(slices.Values(values), cmp.Compare[T])
	position := q * float64(len(sorted)-1)
	below := int(position)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + T((position-float64(below))*float64(sorted[above]-sorted[below]))
}
