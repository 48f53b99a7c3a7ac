package canary

import "time"

// Recommended begins a plan with safe defaults. Everything can be changed by the
// methods of Builder, and steps appended.
//
//   - Traffic: 5, 20 and 50 per cent, for ten minutes each; then the canary gets
//     everything while stable is brought to its version, and the traffic goes back.
//     A bad version shows in the first step, and hurts few.
//   - Each step needs a pass of the judge. analysis.Sequential needs about 9 000
//     requests to the canary for that, if none of them fails: half an hour of the
//     first step at 100 requests a second to the service.
//   - A step without a pass waits, and its Events say how many requests it needs.
//     Lack of requests never rolls back.
//   - Settle is ten seconds and ScrapeLag half a minute, for a mesh of some hundred
//     proxies and Prometheus at its usual interval.
//   - For ten minutes after the end, a roll back is one command.
//   - Traffic that somebody else changes is put back, five times at most.
func Recommended(name string) Builder {
	return NewPlan(name).
		Settle(10*time.Second).ScrapeLag(30*time.Second).
		Weights(List(5*Percent, 20*Percent, 50*Percent), Step{Hold: 10 * time.Minute}).
		End(End{Kind: PromoteStable, Deadline: 15 * time.Minute}).
		Bake(10 * time.Minute)
}
