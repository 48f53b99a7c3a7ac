package canary

import (
	"strings"
	"time"

	"github.com/serin-go/serin/canary/cause"
)

// Reason says why a rollout waits or moves.
type Reason struct {
	Cause  cause.Cause
	Detail string
	// Until is when the wait ends at the latest. It is zero if the wait has no time
	// limit.
	Until time.Time
}

// String returns the reason in words, in one line and without control characters.
func (r Reason) String() string {
	var b strings.Builder
	b.WriteString(r.Cause.String())
	if !r.Until.IsZero() {
		b.WriteString(" until ")
		b.WriteString(r.Until.UTC().Format(time.TimeOnly))
	}
	if r.Detail != "" {
		b.WriteString(": ")
		b.WriteString(oneLine(r.Detail))
	}
	return b.String()
}
