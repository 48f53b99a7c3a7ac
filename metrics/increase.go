package metrics

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Sample is one reading of a counter of requests, and of a counter of the good
// ones among them. Where good and bad requests have counters of their own, Good
// is equal to Total in the one and zero in the other. In a histogram, Total is
// the last bucket and Good the one of the bound.
type Sample struct {
	At          time.Time
	Total, Good float64
}

// Series is the readings of one counter, in the order of time.
type Series struct {
	// Target is the process that was read, as the store names it; "" if unknown.
	Target  string
	Samples []Sample
}

// Increase returns what the counters of one arm counted in the window.
//
// Each reading adds what its counter grew since the reading before it, to the
// window that holds the reading. So give it readings from a bit before the
// window: the last one at or before From is the base line. As a consequence
// windows that meet add up: no request is lost between them or counted twice.
// Nothing is extrapolated.
//
// A counter that falls was reset: it counts from zero, and what came between its
// last reading and the reset is lost. No increment is negative. A counter that was
// reset and has overtaken its last reading by the next one does not fall: an error
// before a crash, and one after it. It counts from zero as well if another series of
// the same Target that had read more fell meanwhile. If none did, as much as it read
// before is lost; that takes a gap in the readings as long as the life of the process
// before it.
//
// The first reading of a series may be all that a new counter counted, or years
// of an old one that the store has only now begun to read. It counts from zero
// only if another series of the same Target was read before, because the process
// was then known and the counter was not there: the first error of a proxy that
// had none is such a case. Otherwise it is a base line only. A new pod loses the
// requests until its first reading, the bad with the good; the other rule would
// now and then take the history of a pod for the last minute.
//
// Without series the error is ErrNoSeries, without a step ErrTooFewSamples, and
// with steps that add nothing ErrNoTraffic. Readings that no counter can have
// are ErrNotANumber, ErrInfinite or ErrNotCounter. Whoever knows the arm wraps
// the error with it. The series are not changed.
func Increase(series []Series, w Window) (Counts, error) {
	counts, err := Increases(series, []Window{w})
	if err != nil {
		return Counts{}, err
	}
	return counts[0], nil
}

// Increases is Increase for several windows at once, which [Windows] accepts. A
// window without requests has zero Counts; ErrTooFewSamples and ErrNoTraffic are
// about all windows together.
//
// What it returns for a window does not depend on the windows behind it, nor on
// the readings after it: evidence that is gathered again is the same, bit for bit.
func Increases(series []Series, windows []Window) ([]Counts, error) {
	if err := Windows(windows); err != nil {
		return nil, err
	}
	if err := validateSeries(series); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(series, func(s Series) bool { return len(s.Samples) > 0 }) {
		return nil, ErrNoSeries
	}
	counts := make([]Counts, len(windows))
	steps := addSteps(counts, series, windows)
	var sum Counts
	for _, c := range counts {
		sum = sum.Add(c)
	}
	switch {
	case steps == 0:
		return nil, ErrTooFewSamples
	case math.IsInf(sum.Total, 0):
		return nil, ErrInfinite
	case sum.Total == 0:
		return nil, ErrNoTraffic
	}
	return counts, nil
}

// Windows reports windows that are empty, overlap or are not in the order of
// time, or that there is none. The error wraps ErrBadQuery.
func Windows(windows []Window) error {
	if len(windows) == 0 {
		return fmt.Errorf("metrics: %w: there is no window", ErrBadQuery)
	}
	for i, w := range windows {
		if err := w.Validate(); err != nil {
			return err
		}
		if i > 0 && w.From.Before(windows[i-1].To) {
			return fmt.Errorf("metrics: %w: window %d begins at %s, before the end of the one before it",
				ErrBadQuery, i, w.From.Format(time.RFC3339Nano))
		}
	}
	return nil
}

// addSteps adds each step to the window that holds its end, and returns how many
// there were.
func addSteps(counts []Counts, series []Series, windows []Window) (steps int) {
	known := targets(series)
	for _, s := range series {
		at, t := 0, known[s.Target]
		for i, sample := range s.Samples {
			for at < len(windows) && sample.At.After(windows[at].To) {
				at++
			}
			if at == len(windows) {
				break
			}
			if !windows[at].Contains(sample.At) {
				continue
			}
			if base := t.baseLine(s.Samples, i); base != nil {
				counts[at] = counts[at].Add(increment(base, &s.Samples[i]))
				steps++
			}
		}
	}
	return steps
}

// target is what the series of one process say together. The zero value knows
// nothing.
type target struct {
	first time.Time // reading of any
	falls []fall
}

// fall is two readings between which a process began anew: a counter that read
// total at the first of them read less at the second.
type fall struct {
	from, to time.Time
	total    float64
}

// targets returns what is known of each process that has a name.
func targets(series []Series) map[string]target {
	known := make(map[string]target)
	for _, s := range series {
		if s.Target == "" || len(s.Samples) == 0 {
			continue
		}
		t, ok := known[s.Target]
		if at := s.Samples[0].At; !ok || at.Before(t.first) {
			t.first = at
		}
		for i, sample := range s.Samples[1:] {
			if base := &s.Samples[i]; fell(base, &sample) {
				t.falls = addFall(t.falls, fall{base.At, sample.At, base.Total})
			}
		}
		known[s.Target] = t
	}
	return known
}

// addFall keeps of falls at the same time the one of the largest counter.
func addFall(falls []fall, f fall) []fall {
	for i, other := range falls {
		if other.from.Equal(f.from) && other.to.Equal(f.to) {
			falls[i].total = max(other.total, f.total)
			return falls
		}
	}
	return append(falls, f)
}

// baseLine returns what reading i of a counter is to be compared with, nil if
// there is nothing.
func (t *target) baseLine(readings []Sample, i int) *Sample {
	switch {
	case i == 0 && (t.first.IsZero() || !t.first.Before(readings[0].At)):
		return nil
	case i == 0, len(t.falls) > 0 && t.beganAnew(&readings[i-1], &readings[i]):
		return new(Sample)
	}
	return &readings[i-1]
}

// beganAnew reports whether another counter fell between two readings. One that
// had read less may have been dropped, and found again, by a process that goes on.
func (t *target) beganAnew(base, next *Sample) bool {
	return slices.ContainsFunc(t.falls, func(f fall) bool {
		return f.total > base.Total && !f.from.Before(base.At) && !f.to.After(next.At)
	})
}

func fell(base, sample *Sample) bool { return sample.Total < base.Total || sample.Good < base.Good }

// increment returns what was counted between two readings.
func increment(base, sample *Sample) Counts {
	if fell(base, sample) {
		base = new(Sample) // a reset
	}
	total := sample.Total - base.Total
	// Buckets that are read while they are written can be a request apart.
	good := min(sample.Good-base.Good, total)
	return Counts{Total: total, Bad: total - good}
}

func validateSeries(series []Series) error {
	for _, s := range series {
		for i, sample := range s.Samples {
			if err := sample.validate(); err != nil {
				return fmt.Errorf("%q at %s: %w", s.Target, sample.At.Format(time.RFC3339), err)
			}
			if i > 0 && !sample.At.After(s.Samples[i-1].At) {
				return fmt.Errorf("%q at %s: %w: readings are not in the order of time",
					s.Target, sample.At.Format(time.RFC3339), ErrNotCounter)
			}
		}
	}
	return nil
}

func (s Sample) validate() error {
	for _, v := range [...]float64{s.Total, s.Good} {
		switch {
		case math.IsNaN(v):
			return ErrNotANumber
		case math.IsInf(v, 0):
			return ErrInfinite
		case v < 0:
			return fmt.Errorf("%w: it reads %v", ErrNotCounter, v)
		}
	}
	if s.Good > s.Total {
		return fmt.Errorf("%w: %v good requests of %v", ErrNotCounter, s.Good, s.Total)
	}
	return nil
}
