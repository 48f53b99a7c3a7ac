package canary

import "time"

// Recommended begins a plan with safe defaults. Change them by the methods of Builder.
//
//   - The canary gets 5, 20 and 50 per cent of the traffic, for at least ten minutes
//     each. Then it gets all traffic while stable is updated, and the traffic returns to
//     stable.
//
//   - Each step requires a Pass. sequential.Judge needs about 9 000 requests to the
//     canary for a Pass if none of them fails. At 100 requests a second to the service
//     that is half an hour of the first step.
//
//   - There are no deadlines: a step without a Pass waits, and its Events say how many
//     requests it needs. Lack of requests never rolls back.
//
//   - Settle is ten seconds, for a mesh of some hundred proxies. ScrapeLag is 30 seconds,
//     for Prometheus at its usual interval.
//
//   - Bake is ten minutes: until then an Abort rolls back.
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
