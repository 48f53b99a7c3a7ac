package fake

import (
	"math"
	"slices"
	"time"

	"github.com/serin-go/serin/fake/internal/rules"
)

// stream is requests that keep coming.
type stream struct {
	rate  float64 // per second
	call  *rules.Call
	since time.Time
	sent  uint64
	got   Result
}

// Load is a steady stream of requests.
type Load struct {
	m *Mesh
	s *stream
}

// maxRate keeps counts within what a number holds.
const maxRate = 1e9

// Load sends equal requests at a rate per second, at most a billion, from now on. No
// goroutine runs: whenever the mesh is used, requests that were due are sent, with the
// outcome of the time at which they were due.
func (m *Mesh) Load(rate float64, r Request) *Load {
	if !(rate > 0) { // NaN is none either
		rate = 0
	}
	s := &stream{rate: min(rate, maxRate), call: r.call()}
	m.now(func() {
		s.since = m.clock
		m.streams = append(m.streams, s)
	})
	return &Load{m, s}
}

// Result returns the outcomes so far.
func (l *Load) Result() Result {
	var got Result
	l.m.now(func() { got = slices.Clone(l.s.got) })
	return got
}

// Stop ends the stream and returns the outcomes of its requests.
func (l *Load) Stop() Result {
	result := l.Result()
	l.m.now(func() {
		l.m.streams = slices.DeleteFunc(l.m.streams, func(s *stream) bool { return s == l.s })
	})
	return result
}

// flowUntil lets the streams flow up to a moment. Up to there nothing changes.
func (m *Mesh) flowUntil(at time.Time) {
	if at.After(m.clock) {
		m.clock = at
	}
	for _, s := range m.streams {
		due := uint64(math.Floor(at.Sub(s.since).Seconds() * s.rate))
		if due > s.sent {
			s.got.plus(m.send(due-s.sent, s.call))
			s.sent = due
		}
	}
}
