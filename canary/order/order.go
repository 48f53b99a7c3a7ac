// Package order has the orders that people and tools give to a rollout, by
// canary.Send.
package order

import "github.com/serin-go/serin/internal/enum"

// Order is what a canary.Command asks for. The zero value is None, which cannot be
// sent.
type Order uint8

// The orders.
const (
	None     Order = iota
	Pause          // stay in this step; the judge goes on and can still fail it
	Resume         // go on after a Pause or StepBack, or restore traffic that drifted
	Abort          // roll back
	Promote        // go to the plan's end now, without holds, gates and verdicts
	Skip           // end the hold of this step, or of this share of a return in steps
	Approve        // open the gate named in the Command, now or when the rollout comes to it
	Retry          // begin again after a rollback
	StepBack       // give stable all traffic for a while; Resume enters the step again
)

var names = []string{"none", "pause", "resume", "abort", "promote", "skip", "approve", "retry", "step back"}

// String returns the name of the order.
func (o Order) String() string { return enum.Name("Order", names, o) }

// MarshalText implements [encoding.TextMarshaler].
func (o Order) MarshalText() ([]byte, error) { return enum.Marshal("order", names, o) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *Order) UnmarshalText(text []byte) error { return enum.Unmarshal("order", names, text, o) }
