package canary

import (
	"fmt"
	"slices"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/phase"
)

// timing compares the clock of this process with the times in the State. All drivers write the
// times of one clock, that of the driver that began the rollout. A driver whose clock differs
// moves the times that it reads, and those that it writes.
//
// If another driver has written since the last look, and the State dates that before the last
// look, this process's clock is ahead. A driver that joins has no last look. The time since the
// last write may have passed, or it may be the difference of two clocks. Such a driver is in
// doubt: it does not count that time. When the time matters, the driver writes what its clock
// shows as a claim (State.Joined). A driver whose clock is behind refutes the claim in its next
// turn. If nobody does, the time has passed.
type timing struct {
	serial int64         // of the State that was read or written last
	wrote  time.Time     // when it was written, as it says
	at     time.Time     // when it was read or written
	ran    time.Duration // of this process until then, by a clock that nobody sets
	// off is how far this clock is ahead of the times in the State. It is negative if the
	// clock is behind; loose, if the State's clock may be still further ahead.
	off   time.Duration
	loose bool
	// doubt is how much of the time since the last write may be a difference of the clocks.
	doubt time.Duration
	wary  bool
	claim time.Time // State.Joined as this process wrote it
	since time.Time // when this process joined
	// sure: what was read last was the latest State, as it was read twice, or written; unless
	// it was the one with the serial stale, on which a write was a conflict.
	sure  bool
	stale int64
	// proven: the judge had readings by one of the two clocks; early, by the one that is behind.
	proven, early bool
	// rebase: the metric store has this process's clock, and the State another one.
	rebase bool
}

// catchUp is how far a State may be ahead of a driver that joins, before its times count as
// wrong ones.
const catchUp = time.Hour

// look compares the clocks. The State is as it was read; ran is how long this process runs, and
// wait is how long a claim must stand.
func (m *memory) look(s *State, now time.Time, ran, wait time.Duration) timing {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &m.timing
	switch {
	case s.Phase == phase.Idle || s.Phase.Final():
		*c = timing{}
	case c.at.IsZero():
		c.join(s, now, wait)
		c.since = now
	default:
		c.wary = false
		c.jump(now, ran)
		c.compare(s, now)
	}
	c.resolve(s, now, wait)
	c.note(s)
	c.at, c.ran = now, ran
	return *c
}

// resolve ends the doubt when nothing is left to doubt, or when nobody has refuted a claim. A new
// process takes it as its own, because it may be one of many that take a turn each.
func (c *timing) resolve(s *State, now time.Time, wait time.Duration) {
	watched := !s.Entered.Add(c.off).Before(c.since) && !s.Shifted.Add(c.off).Before(c.since)
	own := c.at.IsZero() || s.Joined.Equal(c.claim)
	if watched || own && s.claimed() && now.Sub(s.Joined.Add(c.off)) >= wait {
		c.doubt = 0
	}
}

// note remembers what was read or written.
func (c *timing) note(s *State) {
	c.serial = s.Serial
	if !s.doubtful() {
		c.wrote = s.written()
	}
}

// join is the first look at a rollout that is under way.
func (c *timing) join(s *State, now time.Time, wait time.Duration) {
	gap := now.Sub(s.written())
	behind := -gap > maxSkew && -gap < catchUp && s.Joined.IsZero() // or who wrote that is in doubt
	switch {
	case behind:
		c.off, c.loose = gap.Round(time.Millisecond), true
		if !s.stamped().After(now.Add(maxSkew)) {
			c.doubt = -gap // only LookBy tells
		}
	case s.LookBy.IsZero(): // no users are on the canary, who would be hurt
	case gap > maxSkew+2*wait || gap > maxSkew && s.Refuted:
		c.doubt = gap
	case gap > maxSkew: // so that a claim has stood when it is to be doubted
		c.wary = true
	}
}

// jump finds out whether somebody set the clock of this process, or suspended it.
func (c *timing) jump(now time.Time, ran time.Duration) {
	by := (now.Sub(c.at) - (ran - c.ran)).Round(time.Millisecond)
	if ran == 0 || by.Abs() <= maxSkew {
		return
	}
	c.off, c.at = c.off+by, c.at.Add(by)
	c.proven, c.early = false, false
}

// compare learns from what another driver wrote since the last look.
func (c *timing) compare(s *State, now time.Time) {
	if s.Serial == c.serial {
		c.sure = s.Serial != c.stale
		return
	}
	// An order does not say when it was written, and neither does an older library.
	dated := !s.Written.IsZero() && !s.doubtful() && !s.written().Equal(c.wrote)
	if dated && s.Serial > c.serial {
		c.learn(s.written(), now)
	}
	c.sure = false
}

// behind notes a conflict: what was read last may have been an old State for any time.
func (c *timing) behind() { c.sure, c.stale = false, c.serial }

// learn learns that another driver wrote since the last look, at a time by the State's clock.
func (c *timing) learn(wrote, now time.Time) {
	own, off := wrote.Add(c.off), now.Sub(wrote)
	switch last := c.at; {
	case own.Before(last.Add(-maxSkew)) && !c.sure: // the last look may have been at an old State
	case own.Before(last.Add(-maxSkew)): // this clock is ahead
		most := now
		if last.Add(maxSkew).Before(now) {
			most = last.Add(maxSkew)
		}
		c.set(most.Sub(wrote))
	case c.off > 0 && own.After(now.Add(maxSkew)): // not as far ahead
		c.set(max(0, off))
	case c.loose && own.After(now.Add(maxSkew)):
		c.set(off)
	default:
		c.doubt, c.loose = 0, false
	}
}

func (c *timing) set(off time.Duration) {
	c.off, c.doubt, c.loose = off.Round(time.Millisecond), 0, false
}

// clocks says how the clocks differ; "" if they do not, as far as is known.
func (o *observation) clocks(s *State) string {
	off, doubt := o.Off.Round(time.Second), o.Doubt.Round(time.Second)
	switch {
	case o.Doubt > 0 && o.Off == 0 && !s.Joined.IsZero():
		return fmt.Sprintf("the last write was %v ago by the clock of this process, which may be ahead of that of another driver: that time does not count yet", doubt)
	case o.Off > maxSkew:
		return fmt.Sprintf("the clock of this process is %v ahead of that of the rollout", off)
	case o.Off < -maxSkew:
		return fmt.Sprintf("the clock of this process is %v behind that of the rollout", -off)
	}
	return ""
}

// windows tells how windows by this clock are moved to be windows by the clock that is ahead,
// and by the one that is behind. Either may be that of the metric store. The first one is asked
// about first, until it is proven that the store has readings by a clock.
func (m *memory) windows() (first, second, off time.Duration, proven bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &m.timing
	first, second = max(0, -c.off), min(0, -c.off, -c.doubt)
	if c.early {
		first, second = second, first
	}
	return first, second, c.off, c.proven
}

// prove notes that the store has readings by the clock asked about first, or by the other one.
func (m *memory) prove(other bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &m.timing
	if other && c.doubt > 0 {
		return // there may be no other clock
	}
	c.proven, c.early = true, c.early || other
	c.rebase = c.rebase || other && c.off < 0
}

// stored returns a time of this process's clock as it stands in the State.
func (m *memory) stored(at time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return at.Add(-m.timing.off)
}

// moved returns the State with its times moved. Those stay that are no times of the rollout's
// clock: its name, and an order's.
func (s State) moved(by time.Duration) State {
	if by == 0 {
		return s
	}
	for _, at := range [...]*time.Time{&s.Entered, &s.Shifted, &s.Verified, &s.Paused, &s.LookBy, &s.Blind, &s.Failing, &s.Promotion, &s.Baked, &s.Drifted, &s.Giving, &s.Retreat.Since, &s.Retreat.Gone, &s.Written, &s.Joined} {
		move(at, by)
	}
	s.Retreat.Resumed, s.Blocks, s.Trace = slices.Clone(s.Retreat.Resumed), slices.Clone(s.Blocks), slices.Clone(s.Trace)
	for i := range s.Retreat.Resumed {
		move(&s.Retreat.Resumed[i].At, by)
	}
	for i := range s.Blocks {
		move(&s.Blocks[i].From, by)
		move(&s.Blocks[i].To, by)
	}
	for i := range s.Trace {
		move(&s.Trace[i].At, by)
	}
	return s
}

// move moves a time that is known.
func move(at *time.Time, by time.Duration) {
	if !at.IsZero() {
		*at = at.Add(by)
	}
}

// moved returns a request about times moved. The rollout began by the clock of the State, which
// this one is ahead of by off.
func moved(q analysis.Request, by, off time.Duration) analysis.Request {
	move(&q.Began, by+off)
	if by == 0 {
		return q
	}
	move(&q.StepBegan, by)
	move(&q.PromotionBegan, by)
	q.Window.From, q.Window.To = q.Window.From.Add(by), q.Window.To.Add(by)
	q.Earlier = slices.Clone(q.Earlier)
	for i := range q.Earlier {
		w := &q.Earlier[i].Window
		w.From, w.To = w.From.Add(by), w.To.Add(by)
	}
	return q
}
