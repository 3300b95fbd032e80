package main

import (
	"time"

	"github.com/promptrails-community/promptrails-go/benchmarks/internal/report"
)

// sample is one measurement. A zero field was not measured.
type sample struct {
	rate          float64 // per second
	cpu, p50, p99 time.Duration
}

// newSample returns the sample of requests that took the given durations, in
// ascending order, in an elapsed time.
func newSample(took []time.Duration, elapsed time.Duration) sample {
	return sample{rate: float64(len(took)) / elapsed.Seconds(), p50: percentile(took, 50), p99: percentile(took, 99)}
}

// percentile returns the smallest value that at least p percent of the sorted values
// are not greater than, or 0 if there are no values.
func percentile(sorted []time.Duration, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[max(0, (len(sorted)*p+99)/100-1)]
}

// key names a row of a table.
type key struct{ subject, load string }

// results are the samples of all rounds, in the order of their first round.
type results struct {
	order   []key
	samples map[key][]sample
}

func newResults() *results { return &results{samples: map[key][]sample{}} }

func (r *results) add(subject, load string, s sample) {
	k := key{subject, load}
	if r.samples[k] == nil {
		r.order = append(r.order, k)
	}
	r.samples[k] = append(r.samples[k], s)
}

// median returns the medians of a row.
func (r *results) median(k key) sample {
	return sample{
		rate: medianOf(r.samples[k], func(s sample) float64 { return s.rate }),
		cpu:  medianOf(r.samples[k], func(s sample) time.Duration { return s.cpu }),
		p50:  medianOf(r.samples[k], func(s sample) time.Duration { return s.p50 }),
		p99:  medianOf(r.samples[k], func(s sample) time.Duration { return s.p99 }),
	}
}

func medianOf[T ~int64 | ~float64](samples []sample, field func(sample) T) T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = field(s)
	}
	return report.Median(values)
}

// medianRatio returns the median of the ratios of a field in each round, or 0 if it was
// not measured.
func medianRatio(of, to []sample, field func(sample) float64) float64 {
	ratios := []float64{}
	rounds := min(len(of), len(to))
	for i, s := range to[:rounds] {
		if divisor := field(s); divisor > 0 {
			ratios = append(ratios, field(of[i])/divisor)
		}
	}
	return report.Median(ratios)
}
