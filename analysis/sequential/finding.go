package sequential

import (
	"errors"
	"fmt"
	"time"

	"github.com/serin-go/serin/internal/evidence"
	"github.com/serin-go/serin/internal/judging"
	"github.com/serin-go/serin/metrics"
)

// Report is what a [Judge] returns as [analysis.Result.Details].
type Report struct {
	// Findings are about the Metrics, in their order.
	Findings []Finding
	// Trace is how the evidence for a fail developed.
	Trace Trace
}

// Finding is what a [Judge] found out about one metric.
type Finding struct {
	// Name says what was counted or measured: "server errors", "requests slower than
	// 250ms", "memory per pod".
	Name string
	// Canary and Baseline are the counts of the whole rollout, and CanaryValue and
	// BaselineValue the means of a Gauge.
	Canary, Baseline           metrics.Counts
	CanaryValue, BaselineValue float64
	// Service are the requests to the whole service that a Reach is about, and how many of them
	// reach no pod. Planned is the canary's share, 0 to 1.
	Service metrics.Counts
	Planned float64
	// Compared is the quantity that By names. Known is false while there is no estimate.
	Compared Interval
	By       Comparison
	Known    bool
	// Fail and Pass are the logarithms of the evidence for a fail and for a pass. A pass
	// needs PassAt in each metric. A fail needs FailAt in the weighted mean of all
	// metrics.
	Fail, Pass     float64
	FailAt, PassAt float64
	// Suspect: the evidence would fail the canary if this were the only metric. Culprit:
	// it does so beside the other metrics.
	Suspect, Culprit bool
	// Requests is about how many more requests the canary needs to pass. After is the
	// time which that takes at the present traffic. Both are zero if that is not known.
	Requests float64
	After    time.Duration
	// Note is a remark for people, or "".
	Note string

	baseline string // its name
	lack     evidence.Need
}

// Interval is an estimate with a lower and an upper bound. All intervals of a rollout
// hold together with a probability of 1-Alpha, however often they are looked at.
type Interval struct{ Estimate, Lower, Upper float64 }

// String prints three digits: "1.12 (0.547 to 2.26)", or "3.79 or more" if there is no
// upper bound.
func (i Interval) String() string { return evidence.Interval(i).String() }

// Comparison is the quantity of Finding.Compared.
type Comparison uint8

// The comparisons.
const (
	RatioOfRates    Comparison = iota // the canary's share of bad requests, as a multiple of the baseline's
	ShareOfRequests                   // the canary's share of bad requests
	RatioOfValues                     // the canary's value, as a multiple of the baseline's
	ShareOfService                    // none: Service, and the requests of both arms, in the present traffic
)

func (f *Finding) compare(i evidence.Interval, known bool) { f.Compared, f.Known = Interval(i), known }

// String prints the Finding for a reason.
func (f Finding) String() string {
	if f.By == RatioOfValues {
		text := fmt.Sprintf("%s is %.4g in the canary, %.4g in %s", f.Name, f.CanaryValue, f.BaselineValue, f.baseline)
		if f.Known {
			text += fmt.Sprintf(": %v times as much", f.Compared)
		}
		return text
	}
	if f.By == ShareOfService {
		return fmt.Sprintf("%v of the requests reach no pod, and canary has %s of the others, %s planned", f.Service,
			judging.Percent(f.Canary.Total/max(1, f.Canary.Total+f.Baseline.Total)), judging.Percent(f.Planned))
	}
	text := fmt.Sprintf("canary has %v %s", f.Canary, f.Name)
	if f.By == ShareOfRequests {
		if f.Known {
			text += fmt.Sprintf(": %s to %s of its requests", judging.Percent(f.Compared.Lower), judging.Percent(f.Compared.Upper))
		}
		return text
	}
	text += fmt.Sprintf(", %s %v", f.baseline, f.Baseline)
	if f.Known {
		text += fmt.Sprintf(": %v times the rate", f.Compared)
	}
	return text
}

// need sets what a pass lacks, when the canary has so many requests in a look.
func (f *Finding) need(judge Judge, n evidence.Need, requests float64) {
	f.lack, f.Requests = n, n.Requests
	f.After, _ = n.After(requests / judge.Look().Seconds())
}

// missing says what a pass still needs, and if there is nothing, why.
func (f Finding) missing(silence error) string {
	switch {
	case f.By == RatioOfValues:
		return f.unmeasured(silence)
	case f.Canary.Total == 0:
		return "no requests to the canary" + words(silence)
	case f.Note != "":
		return fmt.Sprintf("%v: %s", f, f.Note)
	case f.By == RatioOfRates && f.Baseline.Total == 0:
		return fmt.Sprintf("%v: no requests to %s to compare with%s", f, f.baseline, words(silence))
	case f.After == 0:
		return fmt.Sprintf("%v: %v", f, f.lack)
	}
	return fmt.Sprintf("%v: %v, %v at the present traffic", f, f.lack, f.After.Round(time.Second))
}

// unmeasured is missing for values.
func (f Finding) unmeasured(silence error) string {
	switch {
	case silence != nil:
		return fmt.Sprintf("no %s of both arms%s", f.Name, words(silence))
	case f.After == 0:
		return fmt.Sprintf("%v: the values do not speak for a pass yet", f)
	}
	return fmt.Sprintf("%v: about %v more", f, f.After)
}

// words are those of one way of having nothing.
func words(silence error) string {
	switch {
	case errors.Is(silence, metrics.ErrNoSeries):
		return ": the store knows no series, so there were none yet, or their labels are others"
	case errors.Is(silence, metrics.ErrTooFewSamples):
		return ": the store has not read them often enough yet"
	}
	return " yet"
}
