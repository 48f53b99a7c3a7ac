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

// shortPause and longPause are the shortest and the longest pause after an error.
const shortPause, longPause = time.Second, 30 * time.Second

// bear returns how long to wait after an error before the next try, at most so long, or
// that there is to be none.
func (p *patience) bear(err error, most time.Duration) (wait time.Duration, over bool) {
	const tries = 5 // that may have come too early; the pauses between them make half a minute
	switch {
	case isEarly(err) && p.early < tries:
		p.early++
	case errors.Is(err, ErrRefused), errors.Is(err, ErrBadState):
		over = true
	}
	p.paused = min(max(shortPause, 2*p.paused), max(shortPause, min(most, longPause)))
	return p.paused, over
}
