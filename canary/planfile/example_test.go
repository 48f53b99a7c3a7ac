package planfile_test

import (
	"fmt"

	"github.com/serin-go/serin/canary/planfile"
)

func ExampleParse() {
	plan, err := planfile.Parse([]byte(`
name: shop
settle: 10s
steps:
- {name: dark launch, mirror: 100%, hold: 5m, requires: no failure}
- &step {name: one in five, canary: 20%, hold: 10m, deadline: 1h}
- {<<: *step, name: everybody, canary: 100%}
end: {kind: promote stable, deadline: 15m}
`))
	fmt.Println(plan.Name(), err)
	for i, step := range plan.Steps() {
		fmt.Println(i+1, step.Name, "for", step.Hold)
	}
	// Output:
	// shop <nil>
	// 1 dark launch for 5m0s
	// 2 one in five for 10m0s
	// 3 everybody for 10m0s
}

// The error lists all mistakes at once, each with its line.
func ExampleParse_mistakes() {
	_, err := planfile.Parse([]byte(`
name: shop
settel: 10s
steps:
- name: dark launch
  mirror: 100%
  hold: 5 minutes
  requires: no failure
- canary: 20
end: {kind: promote stable, deadline: -15m}
`))
	fmt.Println(err)
	// Output:
	// canary: plan "shop": line 3: settel: there is no such field; did you mean settle?
	// line 7: steps 1 "dark launch" hold: duration "5 minutes": want a form such as 1m30s
	// line 9: steps 2 canary: found 20, want a percentage in quotes or with its sign, such as "12.5%"
	// line 10: end deadline: -15m0s is negative
}
