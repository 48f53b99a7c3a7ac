package metrics

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Sample is one reading of a counter of requests, together with a counter of the good
// ones among them. If good and bad requests have separate counters, Good equals Total in
// the former and is 0 in the latter. In a histogram, Total is the last bucket and Good
// the bucket of the bound.
type Sample struct {
	At          time.Time
	Total, Good float64
}

// Series holds the readings of one counter, in order of time.
type Series struct {
	// Target is the process that was scraped, as the store names it; "" if unknown.
	Target  string
	Samples []Sample
}

// Increase returns what the counters of one arm counted in the window.
//
// The growth of a counter between two readings belongs to the window that contains the
// later reading. So pass readings from before the window too: the last one at or before
// From is the reference for the first one in the window. Therefore adjacent windows add
// up: no request between them is lost or counted twice. Nothing is extrapolated.
//
// A counter that falls was reset. It then counts from zero, and the requests between its
// last reading and the reset are lost. No increment is negative. A reset counter does not
// fall if it has reached its former value again by the next reading, for example with one
// error before a crash and one after it. Such a counter also counts from zero, if in the
// meantime another series of the same Target fell from a greater value. If there is no
// such series, as many requests as the former value are lost. This needs a gap in the
// readings at least as long as the previous process lived.
//
// The first reading of a series may be the whole count of a new counter, or years of an
// old one that the store has only begun to scrape. It counts from zero only if another
// series of the same Target was read before. Then the process was known before the
// counter existed, as with the first error of a proxy. Otherwise the first reading is
// only a reference, and the requests of a new pod before its first reading are lost, good
// and bad ones alike. The opposite rule would sometimes take the whole history of a pod
// for the last minute.
//
// The error is ErrNoSeries if there are no readings, ErrTooFewSamples if no two readings
// can be compared, and ErrNoTraffic if no counter grew. Readings that a counter cannot
// have are ErrNotANumber, ErrInfinite or ErrNotCounter. The errors do not name the arm:
// wrap them with it. The series are not changed.
func Increase(series []Series, w Window) (Counts, error) {
	counts, err := Increases(series, []Window{w})
	if err != nil {
		return Counts{}, err
	}
	return counts[0], nil
}

// Increases is Increase for several windows at once. The windows must satisfy [Windows].
// A window without requests has zero Counts. ErrTooFewSamples and ErrNoTraffic are about
// all windows together.
//
// The result for a window depends neither on later windows nor on later readings. A
// repeated call returns the same evidence, bit for bit.
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

// Windows returns an error that wraps ErrBadQuery if want at least one window, a window is
// empty, or the windows overlap or are not in order of time.
func Windows(windows []Window) error {
	if len(windows) == 0 {
		return fmt.Errorf("metrics: %w: want at least one window", ErrBadQuery)
	}
	for i, w := range windows {
		if err := w.Validate(); err != nil {
			return err
		}
		if i > 0 && w.From.Before(windows[i-1].To) {
			return fmt.Errorf("metrics: %w: window %d begins at %s, before the previous window ends",
				ErrBadQuery, i, w.From.Format(time.RFC3339Nano))
		}
	}
	return nil
}

// addSteps adds each step to the window that contains its later reading, and returns the
// number of steps.
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

// target is what the series of one process say together. The zero value means that
// nothing is known.
type target struct {
	first time.Time // earliest reading of all series
	falls []fall
}

// fall is an interval in which a process restarted: a counter with the value total at its
// start was lower at its end.
type fall struct {
	from, to time.Time
	total    float64
}

// targets returns what is known of each process with a name.
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

// addFall adds f. Of the falls in one interval it keeps only the one from the greatest
// value.
func addFall(falls []fall, f fall) []fall {
	for i, other := range falls {
		if other.from.Equal(f.from) && other.to.Equal(f.to) {
			falls[i].total = max(other.total, f.total)
			return falls
		}
	}
	return append(falls, f)
}

// baseLine returns the reference for reading i of a counter; nil if there is none.
func (t *target) baseLine(readings []Sample, i int) *Sample {
	switch {
	case i == 0 && (t.first.IsZero() || !t.first.Before(readings[0].At)):
		return nil
	case i == 0, len(t.falls) > 0 && t.beganAnew(&readings[i-1], &readings[i]):
		return new(Sample)
	}
	return &readings[i-1]
}

// beganAnew reports whether another counter fell from a greater value between two
// readings. A counter with a smaller value may have been dropped and recreated by a
// process that did not restart.
func (t *target) beganAnew(base, next *Sample) bool {
	return slices.ContainsFunc(t.falls, func(f fall) bool {
		return f.total > base.Total && !f.from.Before(base.At) && !f.to.After(next.At)
	})
}

func fell(base, sample *Sample) bool { return sample.Total < base.Total || sample.Good < base.Good }

// increment returns the requests counted between two readings.
func increment(base, sample *Sample) Counts {
	if fell(base, sample) {
		base = new(Sample) // a reset
	}
	total := sample.Total - base.Total
	// Buckets that are scraped while they are written can differ by a request.
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
				return fmt.Errorf("%q at %s: %w: readings are not in order of time",
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
			return fmt.Errorf("%w: the value %v is negative", ErrNotCounter, v)
		}
	}
	if s.Good > s.Total {
		return fmt.Errorf("%w: %v good requests out of %v", ErrNotCounter, s.Good, s.Total)
	}
	return nil
}
