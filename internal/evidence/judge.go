package evidence

import (
	"errors"
	"fmt"
	"math"
)

// Verdict is what is said at a look. The zero value is Continue.
type Verdict uint8

// The verdicts.
const (
	Continue Verdict = iota // the evidence does not suffice; look again
	Pass                    // not worse than the margins, so far
	Fail                    // worse than the margins; for good
	Invalid                 // the requests are not split as planned; hold
)

var verdicts = [...]string{"continue", "pass", "fail", "invalid"}

// String returns the verdict in lower case.
func (v Verdict) String() string { return name(verdicts[:], int(v)) }

func name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprint(i)
}

// Levels are the probabilities of being wrong, each over a whole rollout. A zero
// field takes its default.
type Levels struct {
	Alpha float64 // rolling back a healthy canary; zero: 0.05
	Beta  float64 // passing a metric that is as bad as its margin; zero: 0.05
	Split float64 // holding because of a split that is as planned; zero: 0.001
}

// Judge says the verdict. Its state is what it has to remember of the past: that
// the canary failed, and which metrics have passed. It is a value; the zero value
// has default levels. It is not safe for concurrent use.
type Judge struct {
	levels Levels
	failed bool
	passed uint64 // a bit a metric
}

// NewJudge returns a judge that has seen nothing, and an error that names every
// level that is no probability.
func NewJudge(l Levels) (Judge, error) {
	var wrong []error
	l = l.filled()
	for _, level := range [...]struct {
		name  string
		value float64
	}{{"alpha", l.Alpha}, {"beta", l.Beta}, {"split", l.Split}} {
		if !probability(level.value) {
			wrong = append(wrong, noProbability(level.name, level.value))
		}
	}
	return Judge{levels: l}, errors.Join(wrong...)
}

func (l Levels) filled() Levels {
	fill(&l.Alpha, 0.05)
	fill(&l.Beta, 0.05)
	fill(&l.Split, 0.001)
	return l
}

func probability(p float64) bool { return p > 0 && p < 0.5 }

func noProbability(name string, value float64) error {
	return fmt.Errorf("%s is %v: use a probability above 0 and below 0.5, such as 0.05", name, value)
}

// Doubtful reports whether evidence for a fail, as its logarithm, speaks against the canary. A
// quarter of a nat is what it comes to by chance: at 0, a third of the healthy canaries at 95 % of
// the traffic is in doubt after an hour, and at a quarter less than one in a hundred.
func Doubtful(logE float64) bool { return logE > 0.25 }

// Forget forgets which metrics have passed.
func (j *Judge) Forget() { j.passed = 0 }

// Update says the verdict at a look: Fail if the evidence of all metrics reaches
// 1/Alpha, or did before; else Invalid while the evidence of the traffic split
// (its logarithm; 0 without such a test) is at 1/Split or above; else Pass if
// ripe, that is the step's minimum time is over, the evidence of every metric that is not FailOnly
// reached 1/Beta at some look, and nothing speaks for a fail at present; else Continue.
//
// Metrics come in the same order at every look. Beyond 64 of them, and without
// any that has to pass, nothing passes.
func (j *Judge) Update(metrics []Metric, traffic float64, ripe bool) Verdict {
	levels := j.levels.filled()
	j.failed = j.failed || LogFail(metrics) >= -math.Log(levels.Alpha)
	all := uint64(0)
	for i, m := range metrics {
		if m.Pass >= -math.Log(levels.Beta) {
			j.passed |= 1 << i
		}
		if !m.FailOnly {
			all |= 1 << i
		}
	}
	switch {
	case j.failed:
		return Fail
	case traffic >= -math.Log(levels.Split):
		return Invalid
	case ripe && all != 0 && len(metrics) <= 64 && j.passed&all == all && !Doubtful(LogFail(metrics)):
		return Pass
	}
	return Continue
}
