package sequential_test

import (
	"testing"

	"github.com/serin-go/serin/analysis/sequential"
)

// rollout is a healthy canary at 5 % of 200 requests a second, a look every 15
// seconds for an hour.
func rollout() []sequential.Look {
	looks := make([]sequential.Look, 240)
	for i := range looks {
		x := float64(i * 7919 % 4)
		y := float64(20 + i*104729%17)
		looks[i] = sequential.Look{
			Canary:   sequential.Count{Bad: x, Total: 140 + float64(i%21)},
			Baseline: sequential.Count{Bad: y, Total: 2800 + float64(i*31%101)},
		}
	}
	return looks
}

func BenchmarkErrorTest(b *testing.B) {
	looks := rollout()
	test, _ := sequential.NewErrorTest(sequential.Settings{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		test.Update(looks[i%len(looks)])
		_ = test.Evidence()
	}
}

func BenchmarkLatencyTestOfFiveBounds(b *testing.B) {
	test, _ := sequential.NewLatencyTest(make([]sequential.Count, 5), sequential.Settings{})
	looks := make([]sequential.LatencyLook, 240)
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
		test, _ := sequential.NewErrorTest(sequential.Settings{})
		var judge sequential.Judge
		var metrics [1]sequential.Metric
		for _, l := range looks {
			test.Update(l)
			metrics[0].Evidence = test.Evidence()
			judge.Update(metrics[:], 0, true)
		}
	}
}

func BenchmarkTrafficTest(b *testing.B) {
	test, _ := sequential.NewTrafficTest(sequential.Settings{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		test.Update(sequential.TrafficLook{Share: 0.05, Canary: 140 + float64(i%21), Others: 2800 + float64(i%101)})
		_ = test.LogE()
	}
}
