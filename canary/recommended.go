package canary

import "time"

// Recommended begins a plan with safe defaults. The methods of Builder change the
// settings; Step and Weights append to the steps.
//
//   - The canary gets the given weights, by default 5, 20 and 50 per cent of the traffic,
//     for at least ten minutes each. Then it gets all traffic while stable is updated,
//     and the traffic returns to stable.
//
//   - Each step requires a Pass. sequential.Judge needs about 9 000 requests to the
//     canary for a Pass if none of them fails. At 100 requests a second to the service, a
//     step with 5 per cent takes half an hour.
//
//   - There are no deadlines: a step without a Pass waits, and its Events say how many
//     requests it needs. Lack of requests never rolls back.
//
//   - Settle is ten seconds, for a mesh of some hundred proxies.
//
//   - ScrapeLag is 30 seconds, for scrape intervals of up to 30 seconds. If Prometheus
//     scrapes once a minute, which is its own default, set ScrapeLag and
//     sequential.Tuning.Look to a minute.
//
//   - Bake is ten minutes: an Abort during that time still rolls back.
//
//   - The engine restores traffic that somebody else changed, five times at most.
func Recommended(name string, weights ...Weight) Builder {
	if len(weights) == 0 {
		weights = []Weight{5 * Percent, 20 * Percent, 50 * Percent}
	}
	return NewPlan(name).
		Settle(10*time.Second).ScrapeLag(30*time.Second).
		Weights(List(weights...), Step{Hold: 10 * time.Minute}).
		End(End{Kind: PromoteStable, Deadline: 15 * time.Minute}).
		Bake(10 * time.Minute)
}
