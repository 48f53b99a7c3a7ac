package canary_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
)

// BenchmarkTurn takes an idle turn of ten thousand rollouts, one after the
// other. At a cadence of ten seconds they need a thousand turns a second.
func BenchmarkTurn(b *testing.B) {
	const rollouts = 10_000
	plan := mustBuild(b, canary.NewPlan("p").Step(canary.Step{Traffic: canary.Traffic{Canary: canary.Full}, Hold: time.Hour}))
	judge := analysis.AnalyzerFunc(func(context.Context, analysis.Request) (analysis.Result, error) {
		return analysis.Result{Reason: "no requests yet"}, nil
	})
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	runners := make([]*canary.Runner, rollouts)
	for i := range runners {
		r, err := canary.NewRunner(canary.Config{Plan: plan.For("v2"), Router: new(canarytest.Router), Analyzer: judge})
		require.NoError(b, err)
		for range 2 {
			_, err = r.Turn(b.Context())
			require.NoError(b, err)
		}
		runners[i] = r
	}
	held := float64(heap()-before) / rollouts
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if e, err := runners[i%rollouts].Turn(b.Context()); err != nil || e.Wrote {
			b.Fatal(e.Reason, err)
		}
	}
	b.ReportMetric(held, "heap-B/rollout")
}

func BenchmarkNext(b *testing.B) {
	plan := mustBuild(b, twoSteps())
	first := canary.Traffic{Canary: 10 * percent}
	s := inStep(plan, 0, first)
	o := canary.Observation{Now: noon.Add(30 * time.Second), Traffic: first}
	o.Judged = canary.Judgement{Asked: true, Result: analysis.Result{Reason: "about 300 more requests"}}
	b.Run("nothing changes", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, d := plan.Next(s, o); d.Write {
				b.Fatal("nothing is to be written")
			}
		}
	})
	o.Now = noon.Add(time.Minute)
	o.Judged.Result.Verdict = analysis.Pass
	o.Answers[canary.AskReady] = canary.Answer{Reply: canary.Yes}
	b.Run("next step", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, d := plan.Next(s, o); !d.Write {
				b.Fatal("a step is to be written")
			}
		}
	})
}
