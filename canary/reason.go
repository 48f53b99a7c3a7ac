package canary

import (
	"strings"
	"time"
)

// Cause is the kind of a Reason, fit for a metric's label.
type Cause uint8

// The causes. Up to CauseDrift they are reasons to stay, each with what ends it.
const (
	CauseNone        Cause = iota
	CauseSettling          // the traffic was just written; ends with time
	CauseNotShown          // the mesh does not do it yet; ends when a Verifier sees it
	CauseHold              // ends with time
	CauseVerdict           // ends with evidence
	CauseJudge             // the judge cannot tell; ends when it can
	CauseGate              // ends when the gate opens
	CauseCapacity          // ends when the canary is ready
	CausePaused            // ends with a Resume
	CauseDrift             // somebody else changed the traffic; ends with a Resume
	CauseTrouble           // a part is out of reach; ends when it is back
	CausePromoting         // stable is being promoted
	CauseRestoring         // stable is being restored
	CauseRemoving          // what stood for the canary is taken down
	CauseOrdered           // stable has everything by command; ends with a Resume
	CauseNoPods            // stable has everything as the canary has no ready pod
	CauseNoReadings        // stable has everything as the judge has nothing to read
	CauseStableWorse       // stable has everything as it does worse than before the rollout
	CauseAllFail           // stable has everything as both versions fail
	CauseNoDriver          // stable has everything as nobody drove the rollout
	CauseMoved             // the rollout has moved on
	CauseFailed            // the rollout turns back
	CauseOver              // the rollout is over
)

var causeNames = [...]string{
	"none", "settling", "not shown yet", "holding", "waiting for a verdict", "judge unavailable",
	"waiting for gate", "waiting for capacity", "paused", "drift", "out of reach", "promoting stable",
	"restoring stable", "cleaning up", "stepped back", "no ready pod", "no readings", "stable worse", "all fail",
	"no driver", "moved on", "turned back", "over",
}

// String returns the cause in words.
func (c Cause) String() string { return nameOf("Cause", causeNames[:], c) }

// MarshalText implements [encoding.TextMarshaler].
func (c Cause) MarshalText() ([]byte, error) { return marshalName("cause", causeNames[:], c) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (c *Cause) UnmarshalText(text []byte) error {
	return unmarshalName("cause", causeNames[:], text, c)
}

// Reason says why a decision is what it is. It is put into words only when
// somebody reads it.
type Reason struct {
	Cause  Cause
	Detail string
	// Until is when waiting ends at the latest; zero if no time ends it.
	Until time.Time
}

// String returns the reason in words.
func (r Reason) String() string {
	var b strings.Builder
	b.WriteString(r.Cause.String())
	if !r.Until.IsZero() {
		b.WriteString(" until ")
		b.WriteString(r.Until.UTC().Format(time.TimeOnly))
	}
	if r.Detail != "" {
		b.WriteString(": ")
		b.WriteString(r.Detail)
	}
	return b.String()
}
