package canarytest_test

import (
	"context"
	"fmt"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
)

func ExampleTestRouter() {
	err := canarytest.TestRouter(context.Background(), func(context.Context) (one, two canary.Router, err error) {
		r := new(canarytest.Router) // a Router of your own, onto a new object
		return r, r, nil
	})
	fmt.Println(err)
	// Output: <nil>
}

func ExampleJudge() {
	judge := &canarytest.Judge{Script: []canarytest.Ruling{{Verdict: analysis.Pass}, {Verdict: analysis.Fail, Reason: "too slow"}}}
	for range 2 {
		result, err := judge.Analyze(context.Background(), analysis.Request{})
		fmt.Println(result.Verdict, result.Reason, err)
	}
	// Output:
	// pass  <nil>
	// fail too slow <nil>
}

func ExampleRouter() {
	ctx := context.Background()
	router := new(canarytest.Router)
	read, err := router.Read(ctx)
	fmt.Println(read.Traffic, err)
	fmt.Println(router.Write(ctx, read, canary.Traffic{Canary: 5 * canary.Percent}, canary.State{}))
	fmt.Println(router.Write(ctx, read, canary.Traffic{Canary: 9 * canary.Percent}, canary.State{}))
	// Output:
	// stable only <nil>
	// <nil>
	// canarytest: router: changed by somebody else since it was read
}
