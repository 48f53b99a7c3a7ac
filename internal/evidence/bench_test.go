package evidence_test

import (
	"testing"

	"github.com/serin-go/serin/internal/evidence"
)

// rollout is a healthy canary at 5 % of 200 requests a second, a look every 15
// seconds for an hour.
func rollout() []evidence.Look {
	looks := make([]evidence.Look, 240)
	for i := range looks {
		x := float64(i * 7919 % 4)
		y := float64(20 + i*104729%17)
		looks[i] = evidence.Look{
			Canary:   evidence.Count{Bad: x, Total: 140 + float64(i%21)},
			Baseline: evidence.Count{Bad: y, Total: 2800 + float64(i*31%101)},
		}
	}
	return looks
}

func BenchmarkErrorTest(b *testing.B) {
	looks := rollout()
	test, _ := evidence.NewErrorTest(evidence.Settings{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		test.Update(looks[i%len(looks)])
		_ = test.Evidence()
	}
}

func BenchmarkLatencyTestOfFiveBounds(b *testing.B) {
	test, _ := evidence.NewLatencyTest(make([]evidence.Count, 5), evidence.Settings{})
	looks := make([]evidence.LatencyLook, 240)
	for i, l := range rollout() {
		looks[i].Canary.Total, looks[i].Baseline.Total = l.Canary.Total, l.Baseline.Total
		for j, share := range [...]float64{0.5, 0.2, 0.05, 0.01, 0.002} {
			looks[i].Canary.Over[j] = float64(int(l.Canary.Total*share + float64(i%3)))
			looks[i].Baseline.Over[j] = float64(int(l.Baseline.Total*share + float64(i%7)))
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		test.Update(looks[i%len(looks)])
		_ = test.Evidence()
	}
}

func BenchmarkRolloutOf240Looks(b *testing.B) {
	looks := rollout()
	b.ReportAllocs()
	for b.Loop() {
		test, _ := evidence.NewErrorTest(evidence.Settings{})
		var judge evidence.Judge
		var metrics [1]evidence.Metric
		for _, l := range looks {
			test.Update(l)
			metrics[0].Evidence = test.Evidence()
			judge.Update(metrics[:], 0, true)
		}
	}
}

func BenchmarkTrafficTest(b *testing.B) {
	test, _ := evidence.NewTrafficTest(evidence.Settings{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		test.Update(evidence.TrafficLook{Share: 0.05, Canary: 140 + float64(i%21), Others: 2800 + float64(i%101)})
		_ = test.LogE()
	}
}
