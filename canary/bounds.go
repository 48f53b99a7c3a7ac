package canary

import (
	"fmt"
	"time"

	"github.com/serin-go/serin/canary/phase"
)

// The bounds of a State. Texts are measured as they are encoded, in bytes.
const (
	maxReason    = 200
	maxPin       = 128
	maxCarry     = 512 // bytes, as analysis.Result says
	maxTrace     = 8
	maxGates     = 8 // of a step
	maxRevisions = 8
	maxResumed   = 9
	maxSignature = 128
	maxCount     = 1 << 30
	maxSerial    = 7_258_118_400_000 // milliseconds until latest: a rollout begins with those until now
)

var (
	earliest = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// nextSerial is the serial of the next write. At the bound, which only a forged
// State can have, it stays: a Workload takes the same one of the same rollout.
func (s *State) nextSerial() int64 { return min(s.Serial+1, maxSerial) }

// longest is longer than any wait.
const longest = 100 * 365 * 24 * time.Hour

// validate reports what no rollout of any plan could have written.
func (s *State) validate() error {
	if err := s.Traffic.Validate(); err != nil {
		return err
	}
	if s.Phase != phase.Idle && (s.Plan == "" || s.Began.IsZero() || s.Entered.IsZero() || s.Shifted.IsZero()) {
		return fmt.Errorf("phase %v without a plan or its times", s.Phase)
	}
	var b bounds
	b.count("serial", s.Serial, maxSerial)
	b.rollout(&s.Rollout)
	b.place(&s.Place)
	b.clock(&s.clock)
	b.orders(&s.orders)
	b.evidence(&s.evidence)
	b.history(&s.History)
	b.text("signature", s.Signature, maxSignature)
	return b.err
}

// bounds holds the first value that is out of its bounds.
type bounds struct{ err error }

func (b *bounds) broken(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
	}
}

func (b *bounds) count(what string, n, most int64) {
	if n < 0 || n > most {
		b.broken("%s: %d is not within 0 to %d", what, n, most)
	}
}

func (b *bounds) text(what, text string, most int) {
	if clip(text, most) != text {
		b.broken("%s: more than %d bytes, or no plain text", what, most)
	}
}

func (b *bounds) time(what string, t time.Time) {
	if !t.IsZero() && (t.Before(earliest) || t.After(latest)) {
		b.broken("%s: %s is no time of a rollout", what, t.Format(time.RFC3339))
	}
}

func (b *bounds) rollout(r *Rollout) {
	b.text("plan", r.Plan, maxName)
	b.text("name", r.Name, maxName)
	b.text("revision", r.Revision, maxName)
	b.text("owner", r.Owner, maxName)
	b.text("object", r.Object, maxName)
	b.text("pin version", r.Pin.Version, maxPin)
	b.text("pin capacity", r.Pin.Capacity, maxPin)
	b.text("pin scaling", r.Pin.Scaling, maxPin)
	b.text("pin restarts", r.Pin.Restarts, maxPin)
	b.time("began", r.Began)
}

func (b *bounds) place(p *Place) {
	b.count("step", int64(p.Step), maxSteps)
	b.time("giving", p.Giving)
	b.time("retreat since", p.Retreat.Since)
	b.time("retreat gone", p.Retreat.Gone)
	b.count("retreat resumed", int64(len(p.Retreat.Resumed)), maxResumed)
	for _, r := range p.Retreat.Resumed {
		b.time("retreat resumed", r.At)
	}
	if p.Outcome != phase.Idle && !p.Outcome.Final() {
		b.broken("outcome: %v is not final", p.Outcome)
	}
}

func (b *bounds) clock(c *clock) {
	b.time("entered", c.Entered)
	b.time("shifted", c.Shifted)
	b.time("verified", c.Verified)
	b.time("paused", c.Paused)
	b.time("lookBy", c.LookBy)
	b.time("blind", c.Blind)
	b.time("failing", c.Failing)
	b.time("promotion", c.Promotion)
	b.time("baked", c.Baked)
	b.time("drifted", c.Drifted)
	b.time("written", c.Written)
	b.time("joined", c.Joined)
	b.count("pausedFor", int64(c.PausedFor), int64(longest))
}

func (b *bounds) orders(o *orders) {
	b.time("command at", o.Command.At)
	b.text("command gate", o.Command.Gate, maxName)
	b.text("command by", o.Command.By, maxName)
	b.text("command why", o.Command.Why, maxReason)
	b.count("approved", int64(len(o.Approved)), maxGates)
	for _, gate := range o.Approved {
		b.text("approved", gate, maxName)
	}
}

func (b *bounds) evidence(e *evidence) {
	b.count("dropped", int64(e.Dropped), maxCount)
	b.count("carry", int64(len(e.Carry)), maxCarry)
	b.count("frozen", int64(len(e.Frozen)), maxCarry)
}

func (b *bounds) history(h *History) {
	b.text("reason", h.Reason, maxReason)
	b.count("drifts", int64(h.Drifts), maxCount)
	b.count("revisions", int64(len(h.Revisions)), maxRevisions)
	for _, r := range h.Revisions {
		b.text("revisions", r, maxName)
	}
	b.count("trace", int64(len(h.Trace)), maxTrace)
	for _, move := range h.Trace {
		b.time("trace", move.At)
		b.count("trace step", int64(move.Step), maxSteps)
		b.text("trace", move.Reason, maxReason)
	}
}
