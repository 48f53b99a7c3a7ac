package canary

import (
	"errors"
	"time"
)

// patience is how a Run bears errors in a row. The zero value has met none.
type patience struct {
	paused time.Duration
	early  int
}

// bear returns how long to wait after an error before the next try, or that
// there is to be none.
func (p *patience) bear(err error) (wait time.Duration, over bool) {
	const first, longest = time.Second, 30 * time.Second
	const tries = 5 // that may have come too early; the pauses between them make half a minute
	switch {
	case isEarly(err) && p.early < tries:
		p.early++
	case errors.Is(err, ErrRefused), errors.Is(err, ErrBadState):
		over = true
	}
	p.paused = min(max(first, 2*p.paused), longest)
	return p.paused, over
}
