// SPDX-License-Identifier: MPL-2.0

package main

import (
	"math"
	"testing"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values []float64
		part   float64
		want   float64
	}{
		"nothing":           {nil, 0.5, 0},
		"one":               {[]float64{7}, 0.9, 7},
		"the middle":        {[]float64{3, 1, 2}, 0.5, 2},
		"between two":       {[]float64{4, 1, 2, 3}, 0.5, 2.5},
		"the least":         {[]float64{4, 1, 2, 3}, 0, 1},
		"the most":          {[]float64{4, 1, 2, 3}, 1, 4},
		"a tenth of eleven": {[]float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0.1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := quantile(test.values, test.part); math.Abs(got-test.want) > 1e-9 {
				t.Errorf("%v, want %v", got, test.want)
			}
		})
	}
}

// The machine is twice as slow in the second round, for both: their ratio stays.
func TestRatiosAreOfTheSameRound(t *testing.T) {
	t.Parallel()
	baseline, other := Row{MS: []float64{2, 4}}, Row{MS: []float64{4, 8}}
	if got := other.ratio(baseline); got != (Span{2, 2, 2}) {
		t.Errorf("the ratio is %v", got)
	}
}
