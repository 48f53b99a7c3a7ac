package canary

import "time"

// Order is what a Command asks for.
type Order uint8

// The orders. The zero value is none.
const (
	NoOrder Order = iota
	Pause         // stay in this step; judging goes on
	Resume        // go on after Pause, or put drifted traffic back
	Abort         // roll back
	Promote       // go to the plan's end now, without waiting for holds, gates or verdicts
	Skip          // do not wait for the hold of this step any longer
	Approve       // open the gate named by Command.Gate
	Retry         // begin again after a roll back
)

var orderNames = [...]string{"none", "pause", "resume", "abort", "promote", "skip", "approve", "retry"}

// String returns the name of the order.
func (o Order) String() string {
	if int(o) < len(orderNames) {
		return orderNames[o]
	}
	return "unknown order"
}

// MarshalText implements [encoding.TextMarshaler].
func (o Order) MarshalText() ([]byte, error) { return marshalName("order", orderNames[:], o) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *Order) UnmarshalText(text []byte) error {
	return unmarshalName("order", orderNames[:], text, o)
}

// Command is a person's or a tool's order to a rollout. It is written into the
// State, so it reaches whichever process drives.
type Command struct {
	Order Order     `json:"order,omitzero"`
	Gate  string    `json:"gate,omitzero"` // for Approve
	By    string    `json:"by,omitzero"`
	At    time.Time `json:"at,omitzero"`
	Why   string    `json:"why,omitzero"`
}
