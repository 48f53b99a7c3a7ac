// Package analysis is the contract of judging a canary, with simple judges and ways to
// combine them.
//
// An [Analyzer] returns a [Verdict] for a [Request]. Take the one of package
// analysis/sequential: it fails a healthy canary with a probability of at most 5 % over
// the whole rollout, however often it is asked, and says how many more requests it needs.
//
// [Threshold] compares the canary's share of bad requests with a constant, [Compare] with
// the share of another arm. Both ignore chance. Asked again and again, they fail a
// healthy canary sooner or later, unless the bounds leave enough room. Package
// analysis/peers has the rules of Flagger, Argo Rollouts and Kayenta, for teams that
// bring their settings from there.
//
// [All], [Any], [Warmup] and [Last] combine Analyzers.
package analysis

import (
	"context"
	"slices"
	"time"

	"github.com/serin-go/serin/metrics"
)

// Request is what an Analyzer is asked. Fields may be added: use field names in literals.
type Request struct {
	// Window is the time to judge: from the last verified change of traffic plus the
	// scrape lag, until now. Its length is zero or less if that time has not begun. The
	// verdict is Blind then.
	Window metrics.Window
	// Step is the name of the plan's step, for reasons.
	Step string
	// Mirrored: the canary answers no live requests; it receives copies only.
	Mirrored bool
	// Canary and Baseline are the planned shares of live requests, 0 to 1. Stable has the
	// rest.
	Canary, Baseline float64
	// Earlier are the blocks of the rollout before Window, in the order of time, for
	// judges that gather evidence over the whole rollout. The live traffic of the step is
	// in Window, and in the blocks since StepBegan that are not mirrored. Dropped is how
	// many looks of still earlier blocks were dropped.
	Earlier []Block
	Dropped int
	// Began, StepBegan and PromotionBegan are when the rollout, the step, and the
	// promotion of stable began. A zero time has not come yet.
	Began, StepBegan, PromotionBegan time.Time
	// Promoted: the stable workload runs the new version. Judge stable then; Canary is
	// the share that the canary workload still has.
	Promoted bool
	// Carry is the Carry of an earlier Result: the one that was last stored. Later
	// Results may have been lost. Frozen is the Carry at the beginning of the promotion.
	// Both are nil if there is none, and may come from another version of the Analyzer.
	Carry, Frozen []byte
	// Hosts are the names by which clients ask for the service, as the Router reads them. Nil is not
	// known.
	Hosts metrics.Hosts
}

// Blocks returns all blocks of the rollout. The last one is that of Window.
func (r Request) Blocks() []Block { return append(slices.Clip(r.Earlier), r.block()) }

func (r Request) block() Block { return Block{r.Window, r.Mirrored, r.Canary, r.Baseline} }

// Block is a time in a rollout in which the traffic did not change.
type Block struct {
	Window           metrics.Window
	Mirrored         bool
	Canary, Baseline float64
}

// enough is how many requests an arm must have been sent, by the other's counts
// and their shares, before having none of them is for want of readings.
const enough = 20

// Blindness returns why the canary and another arm with so many requests in the block
// cannot be compared.
func (b Block) Blindness(canary, other float64) Blindness {
	share := b.Baseline
	if share == 0 {
		share = 1 - b.Canary
	}
	switch {
	case b.Mirrored || b.Canary == 0:
	case share <= 0:
		return NoBaseline
	case canary == 0 && other*b.Canary/share >= enough:
		return NoCanaryReadings
	case other == 0 && canary*share/b.Canary >= enough:
		return NoReadings
	}
	return FewRequests
}

// Analyzer judges a canary. It keeps no state between calls: the result depends only on
// the request and on the metric store, so any process may ask at any time. It is safe for
// concurrent use, and returns when ctx ends.
//
// An error is not evidence. With an error the verdict is Blind, and only the field Values
// of the Result may be set. No evidence yet is not an error: the verdict is Blind.
//
// An Analyzer that judges in looks, which are times of equal length, may implement
// [Looker], and one that can tell before a rollout what it will see, [Forecaster]. If it has a method Validate() error, NewRunner calls it.
type Analyzer interface {
	Analyze(ctx context.Context, r Request) (Result, error)
}

// Looker is an optional interface of an Analyzer. Look returns the length of one look:
// the least time after which the Analyzer can say something new.
type Looker interface {
	Look() time.Duration
}

// AnalyzerFunc is a function that is an Analyzer.
type AnalyzerFunc func(ctx context.Context, r Request) (Result, error)

// Analyze calls f.
func (f AnalyzerFunc) Analyze(ctx context.Context, r Request) (Result, error) { return f(ctx, r) }
