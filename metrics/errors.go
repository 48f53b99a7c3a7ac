package metrics

import "errors"

// Errors that mean "no evidence yet". They are normal: the rollout stays where it is and
// waits, because a later query may succeed.
var (
	// ErrNoSeries is returned when the store has no series of this arm. The arm has had
	// no request since its proxies started, or the labels of the Query are wrong.
	ErrNoSeries = errors.New("no series")
	// ErrNoTraffic is returned when the arm's counters did not grow in the window.
	ErrNoTraffic = errors.New("no requests in the window")
	// ErrTooFewSamples is returned when no series has two readings to compare: one in the
	// window and one before it. The window is shorter than a scrape interval, or the arm
	// has just received its first requests.
	ErrTooFewSamples = errors.New("too few readings in the window")
)

// Errors that mean "the answer cannot be used". Something is wrong with the metrics. The
// rollout stays where it is and reports the error. If the error lasts, a person should
// look at it.
var (
	// ErrUnavailable is returned when the store did not answer, or refused to answer.
	ErrUnavailable = errors.New("metric store unavailable")
	// ErrPartial is returned when the store answered with warnings. Part of the numbers
	// may be missing, possibly the bad requests.
	ErrPartial = errors.New("partial answer")
	// ErrStale is returned when the newest reading is too old to say how the arm is now.
	ErrStale = errors.New("stale readings")
	// ErrNotANumber is returned when a counter reads NaN.
	ErrNotANumber = errors.New("not a number")
	// ErrInfinite is returned when a counter reads plus or minus infinity.
	ErrInfinite = errors.New("infinite value")
	// ErrNotCounter is returned when the readings cannot be those of a counter: a value
	// is negative, there are more good requests than requests, the readings are not in
	// order of time, or they are of another type.
	ErrNotCounter = errors.New("not a counter")
	// ErrManySeries is returned when there are several series where one is expected.
	// Their sum would count requests twice.
	ErrManySeries = errors.New("several series where one was wanted")
	// ErrNoBucket is returned when the histogram has no bucket with the bound of the
	// Signal. Waiting does not help: choose a bound of one of the mesh's buckets.
	ErrNoBucket = errors.New("no bucket with this bound")
	// ErrNoLabel is returned when the series lack the label that tells bad requests from
	// good ones. Without this error all requests would seem good. Waiting does not help:
	// set Names to the labels of the mesh.
	ErrNoLabel = errors.New("no such label")
	// ErrBadQuery is returned when the query, the windows or the configuration are
	// invalid. Waiting does not help.
	ErrBadQuery = errors.New("bad query")
)

// NoData reports whether err means only that there is no evidence yet: ErrNoSeries,
// ErrNoTraffic or ErrTooFewSamples. Any other error means that something is wrong.
// NoData(nil) is false.
func NoData(err error) bool {
	return errors.Is(err, ErrNoSeries) || errors.Is(err, ErrNoTraffic) || errors.Is(err, ErrTooFewSamples)
}
