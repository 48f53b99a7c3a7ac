package canary

import (
	"fmt"
	"sync"
	"time"

	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
	"github.com/serin-go/serin/internal/enum"
)

// memory is what a Runner saw last. It serves to tell a State that somebody removed,
// or put back from a backup, from a rollout not begun, and a rollout that another
// one took the place of, and whether users are on the canary when nothing can be
// read any more.
type memory struct {
	mu        sync.Mutex
	state     State     // of its own rollout; zero if it had none
	at        time.Time // when that was the last one
	users     bool
	older     time.Time // since when States are read that are older than state; zero if none is
	timing    timing
	conflicts int       // in a row
	refused   time.Time // since when writes are refused; zero if they are not
	unread    time.Time // since when the judge lacks readings; zero if it does not
	// undivided: the judge said last that the requests are not divided as planned.
	undivided bool
	toldLate  entry // of which it was told that it is late
	exposure
}

// exposure is how long users have been on the canary, as far as a Runner has seen it.
type exposure struct {
	begun  bool
	since  time.Duration // of Runner.ran
	warned bool          // that nobody sweeps
}

// A reading may be behind for maxBehind, as those of an informer are. Whoever believes it
// after that risks a conflict, and nothing else, as its write is refused. maxStale is how old
// a State may be that is remembered and put back.
const (
	maxBehind = 5 * time.Second
	maxStale  = time.Minute
)

// loss is what became of a State that a Runner remembers.
type loss uint8

const (
	lossless loss = iota
	removed       // the Router has none any more
	replaced      // the Router has an older one, for longer than a reading can be behind
)

var lossNames = [...]string{"kept the State", "removed the State", "replaced the State by an older one"}

// String says it in words.
func (l loss) String() string { return enum.Name("loss", lossNames[:], l) }

// recall returns the State to decide on, what became of it, and whether the Runner
// had its rollout before. A reading that may just be behind is an ErrConflict.
func (m *memory) recall(reading Reading, now time.Time) (s State, l loss, had bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	had = m.state.Phase != phase.Idle
	read := reading.State
	behind := had && read.Serial > 0 && read.Serial < m.state.Serial && !m.elsewhere(reading)
	switch {
	case m.stale(behind, now) && !reading.aborted():
		return read, lossless, had, fmt.Errorf("canary: %w: the serial that was read is %d, and %d was written", ErrConflict, read.Serial, m.state.Serial)
	case behind:
		return m.put(reading), replaced, had, nil
	case had && read.Phase == phase.Idle && read.Serial == 0: // an Idle State with a serial was reset
		return m.put(reading), removed, had, nil
	}
	return read, lossless, had, nil
}

// elsewhere reports whether the State was written for the object that it was read
// from, and what is remembered for another one: so it is no older one of that.
func (m *memory) elsewhere(reading Reading) bool {
	of := reading.State.Object
	return of != "" && of == reading.Object && of != m.state.Object
}

// age is how old what is remembered was when another State, or none, was read.
func (m *memory) age(now time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.older.IsZero() {
		now = m.older
	}
	return max(0, now.Sub(m.at))
}

// aborted reports whether an Abort stands, in whichever way.
func (r *Reading) aborted() bool { return r.Abort != "" || r.State.Command.Order == order.Abort }

// stale reports whether a reading that is behind may be so by chance.
func (m *memory) stale(behind bool, now time.Time) bool {
	if !behind {
		m.older = time.Time{}
	} else if m.older.IsZero() || now.Before(m.older) {
		m.older = now
	}
	return behind && now.Sub(m.older) < maxBehind
}

// put returns the State that is remembered, to be put back: into an object that may
// have been made anew, and with an Abort that was ordered meanwhile.
func (m *memory) put(into Reading) State {
	s := m.state
	s.Object = clip(into.Object, maxName)
	if into.State.Command.Order == order.Abort && !s.Phase.Final() {
		s.Command = into.State.Command
	}
	return s
}

// exposed reports whether users are on the canary, as far as is known.
func (m *memory) exposed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.users
}

// see notes whether traffic that was read, or may have been written, has users on
// the canary.
func (m *memory) see(t Traffic, s State) {
	m.mu.Lock()
	defer m.mu.Unlock()
	promoted := s.End == PromoteStable && rowOf(s.Phase).moved
	m.users = !s.Phase.Final() && (t.users() || s.Traffic.users() || promoted)
}

// unswept returns, once, that nobody would find the rollout if its drivers died.
func (m *memory) unswept(s *State, ran time.Duration) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	x := &m.exposure
	switch {
	case !m.users || s.Swept:
		x.begun = false
	case !x.begun:
		x.begun, x.since = true, ran
	case !x.warned && ran-x.since > lookAhead:
		x.warned = true
		return fmt.Sprintf("users have been on the canary for %v, and no Sweep has looked at the rollout: if its driver dies, they stay there", lookAhead)
	}
	return ""
}

// keep remembers a State as it was read or written.
func (m *memory) keep(digest string, s State, now time.Time, wrote bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.Plan != digest || s.Began.Equal(m.state.Began) && s.Serial < m.state.Serial {
		return // it is another's, or a turn that took longer than a later one
	}
	m.state, m.at = s, now
	m.timing.note(&s)
	if c := &m.timing; wrote { // others have seen the times of this clock
		c.loose, c.sure, c.claim = false, true, s.Joined
		if c.rebase {
			c.off, c.rebase = 0, false
		}
	}
}

// refuse notes that a write was refused, and returns since when that is so. Nobody can note it
// in the State.
func (m *memory) refuse(now time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refused.IsZero() || now.Before(m.refused) {
		m.refused = now
	}
	return m.refused
}

// judged notes whether the judge, asked at a time, lacks readings, and returns since when; and whether
// the requests were not divided as planned before that.
func (m *memory) judged(lacks, undivided bool, at time.Time) (since time.Time, anew bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	anew = lacks && m.undivided
	m.undivided = undivided
	if !lacks {
		m.unread = time.Time{}
	} else if m.unread.IsZero() || at.Before(m.unread) {
		m.unread = at
	}
	return m.unread, anew
}

// accept notes that a write was not refused.
func (m *memory) accept() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused = time.Time{}
}

// backOff returns how long to wait after the error of a turn, if it is a conflict.
func (m *memory) backOff(err error) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !isConflict(err) {
		m.conflicts = 0
		return 0
	}
	m.conflicts++
	m.timing.behind()
	return min(longestBack, afterConflict<<min(m.conflicts-1, 10))
}
