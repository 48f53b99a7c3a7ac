package canary

import (
	"strings"
	"time"

	"github.com/serin-go/serin/canary/cause"
)

// Reason says why a decision is what it is. It is put into words only when
// somebody reads it.
type Reason struct {
	Cause  cause.Cause
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
