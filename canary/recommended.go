package canary

import "time"

// Recommended begins a plan with defaults that suit a service with some requests a
// second. Everything can be changed by the methods of Builder, and steps appended.
//
//   - Traffic: 1, 5, 20 and 50 per cent, for ten minutes each; then the canary gets
//     everything while stable is brought to its version, and the traffic goes back.
//     The first steps are small, as a bad version shows by then and hurts few.
//   - Each step needs a pass of the judge. One that has none after two hours is
//     rolled back: without a deadline it would wait for ever.
//   - Settle is ten seconds and ScrapeLag half a minute, for a mesh of some hundred
//     proxies and Prometheus at its usual interval.
//   - For ten minutes after the end, a roll back is one command.
//   - Traffic that somebody else changes is put back, five times at most.
func Recommended(name string) Builder {
	return NewPlan(name).
		Settle(10*time.Second).ScrapeLag(30*time.Second).
		Weights(List(Percent, 5*Percent, 20*Percent, 50*Percent), Step{Hold: 10 * time.Minute, Deadline: 2 * time.Hour}).
		End(End{Kind: PromoteStable, Deadline: 15 * time.Minute}).
		Bake(10 * time.Minute)
}
