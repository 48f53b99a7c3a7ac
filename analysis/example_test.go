package analysis_test

import (
	"context"
	"fmt"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/metrics"
)

// counted is what the store of the examples holds.
var counted = store{v1: of(3, 6121), v2: of(12, 1530)}

func ExampleThreshold() {
	judge := analysis.Threshold{Provider: counted, Canary: v2, Max: 0.01}
	result, err := judge.Analyze(context.Background(), minute)
	fmt.Println(result.Verdict, err)
	fmt.Println(result.Reason)
	// Output:
	// pass <nil>
	// canary has 12/1530 (0.78%) server errors, at most 1% accepted
}

func ExampleCompare() {
	judge := analysis.Compare{Provider: counted, Canary: v2, Baseline: v1, Factor: 1.5, Extra: 0.001}
	result, err := judge.Analyze(context.Background(), minute)
	fmt.Println(result.Verdict, err)
	fmt.Println(result.Reason)
	for _, v := range result.Values {
		fmt.Println(v)
	}
	// Output:
	// fail <nil>
	// canary has 12/1530 (0.78%) server errors, stable 3/6121 (0.05%): more than the 0.1735% accepted
	// canary 12/1530 (0.78%)
	// stable 3/6121 (0.05%)
}

func ExampleAll() {
	judge := analysis.All(
		analysis.Compare{Provider: counted, Canary: v2, Baseline: v1, Factor: 2, Extra: 0.01},
		analysis.Threshold{Provider: store{}, Canary: v2, Signal: metrics.SlowerThan(time.Second), Max: 0.05},
	)
	result, err := judge.Analyze(context.Background(), minute)
	fmt.Println(result.Verdict, err)
	fmt.Println(result.Reason)
	// Output:
	// blind <nil>
	// no requests to the canary yet
}

func ExampleAny() {
	threshold := analysis.Threshold{Provider: counted, Canary: v2, Max: 0.01}
	atPods := threshold
	atPods.Provider = broken(metrics.ErrStale)
	result, err := analysis.Any(threshold, atPods).Analyze(context.Background(), minute)
	fmt.Println(result.Verdict, err)
	fmt.Println(result.Reason)
	// Output:
	// pass <nil>
	// canary has 12/1530 (0.78%) server errors, at most 1% accepted (no answer from others: analysis: canary: store: stale readings)
}

func ExampleWarmup() {
	judge := analysis.Warmup(5*time.Minute, analysis.Threshold{Provider: counted, Canary: v2, Max: 0.01})
	result, err := judge.Analyze(context.Background(), minute)
	fmt.Println(result.Verdict, err)
	fmt.Println(result.Reason)
	// Output:
	// blind <nil>
	// warming up: 1m0s of 5m0s
}

func ExampleAnalyzerFunc() {
	office := analysis.AnalyzerFunc(func(_ context.Context, r analysis.Request) (analysis.Result, error) {
		if hour := r.Window.To.Hour(); hour < 9 || hour >= 17 {
			return analysis.Result{Reason: "nobody is in the office"}, nil
		}
		return analysis.Result{Verdict: analysis.Pass, Reason: "somebody is in the office"}, nil
	})
	result, err := office.Analyze(context.Background(), minute)
	fmt.Println(result.Verdict, err)
	fmt.Println(result.Reason)
	// Output:
	// pass <nil>
	// somebody is in the office
}
