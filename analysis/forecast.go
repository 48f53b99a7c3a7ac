package analysis

import (
	"context"
	"time"

	"github.com/serin-go/serin/metrics"
)

// Forecaster is an optional interface of an Analyzer that can tell before a rollout what it
// will see in the steps of a plan. Forecast asks the store only if the Load is to be counted.
// What the store lacks is not an error: then Forecast.Unknown says so.
type Forecaster interface {
	Forecast(ctx context.Context, r ForecastRequest) (Forecast, error)
}

// Load is how many requests a service gets. The zero value does not say.
type Load struct {
	// PerSecond is the number of live requests a second, to all versions together. If it is
	// zero, the requests in the window Past are counted: the last hour, or the same hour a
	// week ago.
	PerSecond float64
	// Bad is the share of bad requests that healthy versions have, 0 to 1. Zero is 0.001,
	// because a service without any error is a guess.
	Bad  float64
	Past metrics.Window
}

// ForecastRequest is a plan as far as a Forecaster needs it. Fields may be added: use field
// names in literals.
type ForecastRequest struct {
	// Steps are those of the plan, in their order.
	Steps []PlannedStep
	// Settle is how long the mesh needs to apply a change of traffic, and ScrapeLag how long
	// after that counting begins.
	Settle, ScrapeLag time.Duration
	// Load is the traffic. With the zero value, the Forecast has only what holds for any
	// traffic, and no store is asked.
	Load Load
}

// PlannedStep is a step of a plan.
type PlannedStep struct {
	// Canary and Baseline are the planned shares of live requests, as in Request. Mirror is
	// the share that is copied to the canary. It counts while Canary is zero. As not all
	// methods are copied, the share of all requests may be smaller than the plan's.
	Canary, Baseline, Mirror float64
	// Requires is the verdict that the step needs: Pass; Inconclusive, which stands for
	// either of the two; or Blind for none. Without one the judge is not asked.
	Requires Verdict
	// Hold is the least time of the step, from when the traffic was applied. Deadline is the
	// most, from the write of the traffic; zero is no bound.
	Hold, Deadline time.Duration
	// Unproven: at the Deadline the rollout goes on without a Pass.
	Unproven bool
}

// Forecast is what a Forecaster expects of a plan. The zero value is that nothing is known.
type Forecast struct {
	// Load is the traffic of the forecast, given or counted. PerSecond is zero if it is not
	// known.
	Load Load
	// Unknown says why the traffic is not known or, without Steps, why nothing is.
	Unknown string
	// Steps are those of the request. None means that nothing is known about them.
	Steps []StepForecast
}

// StepForecast is what is expected of a step. Times are from the write of its traffic, and
// do not count the turns of the engine. While the traffic is not known, all but Never and
// Least is zero. A step that requires no verdict has a Chance of 1, and lasts as long as its hold.
type StepForecast struct {
	// Never says why the step cannot have the verdict that it requires, whatever the traffic
	// is. It is empty if it can.
	Never string
	// Chance is the probability that a healthy canary has the required verdict before the
	// deadline, if the rollout gets to the step. Without a deadline it is 1 or, if these
	// rates never lead to the verdict, 0.
	Chance float64
	// Usual is how long the step lasts for a healthy canary, without its deadline: in half
	// of the rollouts longer. Zero is for ever, in a step that requires a verdict.
	Usual time.Duration
	// Least is after how long the judge can have failed a canary that fails all requests.
	Least time.Duration
	// Outage, Doubled and Point are when the judge fails a canary that is bad from the
	// beginning of the step: one that fails all requests, that has twice the usual share of
	// bad requests, or one percentage point more. They are as if the rollout began with the step.
	Outage, Doubled, Point Detection
	// Remedy is what would help if Chance is below 0.9. Only the first such step has one,
	// because what helps it helps later steps as well.
	Remedy Remedy
}

// Detection is when a bad canary is found. The zero value is never.
type Detection struct {
	// After is the time since the traffic was written: in half of the rollouts longer.
	After time.Duration
	// Bad is how many bad requests, or copies, the canary has answered by then.
	Bad float64
}

// Remedy is what raises a Chance to 0.95, each by itself. A zero field does not help, or is
// not known.
type Remedy struct {
	Deadline time.Duration
	Canary   float64
	Extra    float64 // of the Pass margins of a sequential.Judge, if it is less
}
