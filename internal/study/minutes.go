package main

import "github.com/serin-go/serin/analysis/sequential"

// inMinutes adds looks up.
func inMinutes(looks []sequential.Look) []sequential.Look {
	minutes := make([]sequential.Look, len(looks)/perMinute)
	for k, l := range looks[:len(minutes)*perMinute] {
		minutes[k/perMinute] = sum(minutes[k/perMinute], l)
	}
	return minutes
}

// slowMinutes adds looks up; nil stays nil.
func slowMinutes(looks []sequential.LatencyLook) []sequential.LatencyLook {
	if looks == nil {
		return nil
	}
	minutes := make([]sequential.LatencyLook, len(looks)/perMinute)
	for k, l := range looks[:len(minutes)*perMinute] {
		m := &minutes[k/perMinute]
		m.Canary, m.Baseline = slowPlus(m.Canary, l.Canary), slowPlus(m.Baseline, l.Baseline)
	}
	return minutes
}

func sum(a, b sequential.Look) sequential.Look {
	return sequential.Look{Canary: plus(a.Canary, b.Canary), Baseline: plus(a.Baseline, b.Baseline)}
}

func plus(a, b sequential.Count) sequential.Count {
	return sequential.Count{Bad: a.Bad + b.Bad, Total: a.Total + b.Total}
}

func slowPlus(a, b sequential.Slow) sequential.Slow {
	a.Total += b.Total
	for j := range a.Over {
		a.Over[j] += b.Over[j]
	}
	return a
}
