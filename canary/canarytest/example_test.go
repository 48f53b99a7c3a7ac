package canarytest_test

import (
	"context"
	"fmt"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
	"github.com/serin-go/serin/fake"
)

func ExampleTestRouter() {
	err := canarytest.TestRouter(context.Background(), func(context.Context) (one, two canary.Router, err error) {
		r := new(fake.Router) // a Router of your own, onto a new object
		return r, r, nil
	})
	fmt.Println(err)
	// Output: <nil>
}
