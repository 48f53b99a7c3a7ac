package canary

import (
	"slices"
	"time"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/phase"
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

// before reports whether a time of the State is still ahead, by the clock that is behind.
func (t *turn) before(at time.Time) bool { return t.o.Now.Add(-t.o.Skew).Before(at) }

// written is when the State was written, as far as it tells, by the clock of whoever did.
func (s *State) written() time.Time {
	last := s.LookBy.Add(-lookAhead)
	times := [...]time.Time{s.Entered, s.Shifted, s.Verified, s.Paused, s.Blind, s.Failing, s.Retreat.Gone}
	for _, at := range times {
		last = later(last, at)
	}
	if n := len(s.Trace); n > 0 {
		last = later(last, s.Trace[n-1].At)
	}
	return last
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// skew returns how far this process's clock is ahead of that of another driver. What another
// one has written since this one last looked, and dates before that, tells.
func (m *memory) skew(s *State, now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	newer := s.Serial > m.looked.serial && m.looked.serial > 0
	if underWay := s.Phase != phase.Idle && !s.Phase.Final(); newer && underWay && !s.LookBy.IsZero() && s.Command == m.state.Command {
		m.looked.skew = 0
		if behind := m.looked.at.Sub(s.written()); behind > maxSkew {
			m.looked.skew = behind
		}
	}
	m.looked.serial, m.looked.at = s.Serial, now
	return m.looked.skew
}
