package main

import "github.com/serin-go/serin/internal/evidence"

// inMinutes adds looks up.
func inMinutes(looks []evidence.Look) []evidence.Look {
	minutes := make([]evidence.Look, len(looks)/perMinute)
	for k, l := range looks[:len(minutes)*perMinute] {
		minutes[k/perMinute] = sum(minutes[k/perMinute], l)
	}
	return minutes
}

// slowMinutes adds looks up; nil stays nil.
func slowMinutes(looks []evidence.LatencyLook) []evidence.LatencyLook {
	if looks == nil {
		return nil
	}
	minutes := make([]evidence.LatencyLook, len(looks)/perMinute)
	for k, l := range looks[:len(minutes)*perMinute] {
		m := &minutes[k/perMinute]
		m.Canary, m.Baseline = slowPlus(m.Canary, l.Canary), slowPlus(m.Baseline, l.Baseline)
	}
	return minutes
}

func sum(a, b evidence.Look) evidence.Look {
	return evidence.Look{Canary: plus(a.Canary, b.Canary), Baseline: plus(a.Baseline, b.Baseline)}
}

func plus(a, b evidence.Count) evidence.Count {
	return evidence.Count{Bad: a.Bad + b.Bad, Total: a.Total + b.Total}
}

func slowPlus(a, b evidence.Slow) evidence.Slow {
	a.Total += b.Total
	for j := range a.Over {
		a.Over[j] += b.Over[j]
	}
	return a
}
