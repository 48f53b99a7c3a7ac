package canary

import "time"

// Recommended begins a plan with safe defaults. The methods of Builder change the
// settings; Step and Weights append to the steps.
//
//   - The canary gets the given weights, by default 5, 20, 50 and 95 per cent of the traffic,
//     for at least ten minutes each. The last 5 per cent stay with stable, so that the judge has
//     something to compare with. Then the canary gets all traffic while stable is updated, and
//     the traffic returns to stable.
//
//   - Each step requires a Pass. sequential.Judge needs about 900 requests to the canary for a
//     Pass if none of them fails, and 1 200 if one in a thousand does. At 100 requests a second
//     to the service, a step with 5 per cent takes four minutes for that, and its hold ten.
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
		weights = []Weight{5 * Percent, 20 * Percent, 50 * Percent, 95 * Percent}
	}
	return NewPlan(name).
		Settle(10*time.Second).ScrapeLag(30*time.Second).
		Weights(List(weights...), Step{Hold: 10 * time.Minute}).
		End(End{Kind: PromoteStable, Deadline: 15 * time.Minute}).
		Bake(10 * time.Minute)
}
