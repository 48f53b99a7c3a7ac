package metrics

import "errors"

// The ways of having no evidence yet. They are normal: the rollout stays where
// it is and waits. Later looks can do better.
var (
	// ErrNoSeries: the store knows no series of this arm. The arm got no request
	// since its proxies started, or the labels are not those asked for.
	ErrNoSeries = errors.New("no series")
	// ErrNoTraffic: the arm's counters were read, and did not move in the window.
	ErrNoTraffic = errors.New("no requests in the window")
	// ErrTooFewSamples: an increment needs two readings, and no series has a
	// reading in the window and another before it. The window is shorter than a
	// scrape interval, or the arm's first requests have just been seen.
	ErrTooFewSamples = errors.New("too few readings in the window")
)

// The ways in which an answer cannot be used. Something is wrong between the
// rollout and its numbers: the rollout stays where it is, says so, and a person
// should look if that lasts.
var (
	// ErrUnavailable: the store did not answer, or refused to.
	ErrUnavailable = errors.New("metric store unavailable")
	// ErrPartial: the store answered with warnings. Part of the numbers may be
	// missing, possibly the bad ones.
	ErrPartial = errors.New("partial answer")
	// ErrStale: the newest reading is too old. The numbers say how the arm was,
	// not how it is.
	ErrStale = errors.New("stale readings")
	// ErrNotANumber: a counter reads NaN.
	ErrNotANumber = errors.New("not a number")
	// ErrInfinite: a counter reads plus or minus infinity.
	ErrInfinite = errors.New("infinite")
	// ErrNotCounter: the readings are not those of a counter: negative, more bad
	// than all, not in the order of time, or of another type.
	ErrNotCounter = errors.New("not a counter")
	// ErrManySeries: several series claim to be the one that was wanted. Their
	// sum would count requests twice.
	ErrManySeries = errors.New("several series where one was wanted")
	// ErrNoBucket: the histogram has no bucket with the bound of the Signal.
	// Waiting does not help: choose a bound that the mesh counts.
	ErrNoBucket = errors.New("no bucket with this bound")
	// ErrNoLabel: the series lack the label that tells bad requests from good
	// ones, so that all would seem good. Waiting does not help: set Names to what
	// the mesh reports.
	ErrNoLabel = errors.New("no such label")
	// ErrBadQuery: the question makes no sense. Waiting does not help.
	ErrBadQuery = errors.New("bad query")
)

// Nothing reports whether err says only that there is no evidence yet:
// ErrNoSeries, ErrNoTraffic or ErrTooFewSamples. Any other error says that
// something is wrong.
func Nothing(err error) bool {
	return errors.Is(err, ErrNoSeries) || errors.Is(err, ErrNoTraffic) || errors.Is(err, ErrTooFewSamples)
}
