package main

import "slices"

// Span is a measured quantity: its median and what lies around it.
type Span struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`  // a tenth is below
	High   float64 `json:"high"` // a tenth is above
}

// spanOf is the zero value for no values.
func spanOf(values []float64) Span {
	return Span{Median: quantile(values, 0.5), Low: quantile(values, 0.1), High: quantile(values, 0.9)}
}

// quantile is the value below which a part of the values lies, between two of
// them if need be.
func quantile(values []float64, part float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := part * float64(len(sorted)-1)
	below := int(at)
	if below+1 == len(sorted) {
		return sorted[below]
	}
	rest := at - float64(below)
	return sorted[below]*(1-rest) + sorted[below+1]*rest
}

// Row is how one contestant did.
type Row struct {
	Name string `json:"name"`
	// Time of one operation, in milliseconds, over all rounds.
	Time Span `json:"time_ms"`
	// Ratio of that to the baseline's. Its spread is that of the single rounds, in
	// which all take turns: what slows the machine down for a while slows both.
	Ratio Span `json:"ratio"`
	// Rounds are the medians of each round, in milliseconds.
	Rounds []float64 `json:"rounds_ms"`
	// Requests of one operation, where they were counted.
	Requests *Requests `json:"requests,omitempty"`
	// ServerRequests are the same by the server's own count, pings included.
	ServerRequests float64 `json:"server_requests,omitempty"`
	// Waiters that the server woke per operation, where that was counted.
	Woken float64 `json:"woken,omitempty"`
}

// rowsOf makes a row of each contestant's samples, which stand by rounds. The
// first contestant is the baseline.
func rowsOf(names []string, samples [][][]float64) []Row {
	rows := make([]Row, len(names))
	for i, name := range names {
		var all, ratios []float64
		rows[i].Name = name
		for round, values := range samples[i] {
			all = append(all, values...)
			median := quantile(values, 0.5)
			rows[i].Rounds = append(rows[i].Rounds, median)
			ratios = append(ratios, median/rows[0].Rounds[round])
		}
		rows[i].Time = spanOf(all)
		rows[i].Ratio = spanOf(ratios)
		rows[i].Ratio.Median = rows[i].Time.Median / rows[0].Time.Median
	}
	return rows
}
