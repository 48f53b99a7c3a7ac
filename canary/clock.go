package canary

import (
	"slices"
	"time"

	"github.com/serin-go/serin/canary/cause"
)

// maxSkew is how far ahead of this process's clock the times of a State may be
// before the clock that wrote them counts as having been wrong.
const maxSkew = time.Minute

func (t *turn) clockWentBack() bool {
	most := t.o.Now.Add(maxSkew)
	for _, at := range [...]time.Time{t.s.Shifted, t.s.Verified, t.s.Entered, t.s.Promotion, t.s.Baked, t.s.Drifted, t.s.Giving, t.s.Retreat.Since, t.s.Retreat.Gone, t.s.Blind, t.s.Failing} {
		if at.After(most) {
			return true
		}
	}
	return false
}

// rewind starts the clocks of the step again, so that a clock that was wrong
// cannot hold a rollout for as long as it was ahead.
func (t *turn) rewind() *decision {
	t.s.Entered, t.s.Shifted = t.o.Now, t.o.Now
	for _, at := range [...]*time.Time{&t.s.Promotion, &t.s.Baked, &t.s.Drifted, &t.s.Giving, &t.s.Retreat.Since, &t.s.Retreat.Gone, &t.s.Blind, &t.s.Failing} {
		if !at.IsZero() {
			*at = t.o.Now
		}
	}
	t.s.PausedFor = 0
	t.s.Blocks = slices.DeleteFunc(slices.Clone(t.s.Blocks), func(b block) bool { return b.To.After(t.o.Now) })
	if !t.s.Verified.IsZero() {
		t.s.Verified = t.o.Now
	}
	if !t.s.Paused.IsZero() {
		t.s.Paused = t.o.Now
	}
	return t.write(t.o.Traffic, Reason{Cause: cause.Settling, Detail: "the clock was set back; the times of the step start again"})
}

// before reports whether a time of the State is still ahead. In doubt it is, and that matters.
func (t *turn) before(at time.Time) bool {
	if !t.o.Now.Add(-t.o.Doubt).Before(at) {
		return false
	}
	t.doubted = t.doubted || !t.o.Now.Before(at)
	return true
}

// joined is the claim to be written with a State: whoever is in doubt says what its clock shows,
// so that a driver with a clock that is behind can contradict.
func (t *turn) joined(s *State) time.Time {
	switch {
	case t.o.Doubt == 0:
		return time.Time{}
	case !s.claimed() || t.o.Refute:
		return t.o.Now
	}
	return s.Joined
}

// claims reports whether a State is to be written because of the clocks alone.
func (t *turn) claims(s *State) bool {
	matters := t.o.Wary || t.o.Doubt > 0
	return t.o.Refute || t.o.Rebase || matters && !s.claimed() && !t.mute(s)
}

// mute reports whether a claim of this clock was refuted not long ago: whoever did that may
// still be there.
func (t *turn) mute(s *State) bool {
	return s.Refuted && !s.Joined.After(t.o.Now.Add(maxSkew)) && t.o.Now.Before(s.Joined.Add(lookAhead))
}

// claimed reports whether a claim stands, and all else was written before it.
func (s *State) claimed() bool {
	return !s.Joined.IsZero() && !s.Refuted && s.Joined.After(s.stamped())
}

// written is when the State was written, as far as it tells, by the clock of whoever did.
func (s *State) written() time.Time {
	switch {
	case !s.Written.IsZero():
		return later(s.Written, later(s.Entered, s.Shifted)) // Sweep does not note it
	case s.doubtful():
		return s.stamped()
	}
	return later(s.stamped(), s.LookBy.Add(-lookAhead))
}

// doubtful reports whether who wrote the State may have a clock that is ahead.
func (s *State) doubtful() bool { return !s.Joined.IsZero() && !s.Refuted }

// stamped is the last time of the State, LookBy apart.
func (s *State) stamped() (last time.Time) {
	times := [...]time.Time{s.Entered, s.Shifted, s.Verified, s.Paused, s.Blind, s.Failing, s.Retreat.Gone}
	for _, at := range times {
		last = later(last, at)
	}
	return last
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
