// Package analysis judges a canary by what was counted.
//
// [Sequential] is the one to take: it may be asked as often as one likes, fails a
// healthy canary with a probability of at most 5 % over its whole rollout, or
// what else it is told, and says how much is missing where the requests do not
// suffice. Package sequential is its statistics, and tells how to choose margins.
//
// [Threshold] holds the canary's share of bad requests against a constant,
// [Compare] against another arm; [All], [Any] and [Warmup] combine. They look at
// shares and know nothing of chance: looked at again and again, they fail a
// healthy canary sooner or later unless the bounds leave room. Everything else
// that can judge is an [Analyzer] of one's own.
//
// Package peers judges by the rules of Flagger, Argo Rollouts and Kayenta, for teams
// that bring their numbers from there.
package analysis

import (
	"context"
	"slices"
	"time"

	"github.com/serin-go/serin/metrics"
)

// Request is what an Analyzer is asked. More fields may be added: use field
// names in literals.
type Request struct {
	// Window is the time to judge: from the last verified change of traffic plus
	// the scrape lag, until now. It may not have begun yet, with a length of zero
	// or less; the verdict is then Blind.
	Window metrics.Window
	// Step is the name of the plan's step, for words.
	Step string
	// Mirrored: the canary answers no live requests; it gets copies only.
	Mirrored bool
	// Canary and Baseline are the shares of live requests, 0 to 1, that the two
	// are to get in the window. Stable gets what they leave.
	Canary, Baseline float64
	// Earlier are the blocks of the rollout before Window, in the order of time.
	// They are for judges that gather evidence over the whole rollout. The live
	// traffic of the step is that of Window, and of the blocks since StepBegan that
	// are not mirrored. Dropped is how many looks of still earlier blocks are not
	// there any more.
	Earlier []Block
	Dropped int
	// Began, StepBegan and PromotionBegan are when the rollout, the step and the
	// promotion of stable began; zero if that has not happened.
	Began, StepBegan, PromotionBegan time.Time
	// Promoted: the stable workload serves the new version, so that is the one to
	// judge, and Canary the share that the other one still gets.
	Promoted bool
	// Carry is that of a Result of before: the last one with which anything was
	// written, so others may have come since. Frozen is the Carry of when
	// promotion began. Both are nil in a rollout that has none, and may be those
	// of another version of the Analyzer.
	Carry, Frozen []byte
}

// Blocks returns the blocks of the rollout, with the one of Window last.
func (r Request) Blocks() []Block { return append(slices.Clip(r.Earlier), r.block()) }

func (r Request) block() Block { return Block{r.Window, r.Mirrored, r.Canary, r.Baseline} }

// Block is a time in a rollout in which its traffic did not change.
type Block struct {
	Window           metrics.Window
	Mirrored         bool
	Canary, Baseline float64
}

// enough is how many requests an arm must have been sent, by the other's counts
// and their shares, before having none of them is for want of readings.
const enough = 20

// Blindness returns why two arms with so many requests in the block cannot be
// compared. Other are the requests of the arm that the canary is compared with.
func (b Block) Blindness(canary, other float64) Blindness {
	share := b.Baseline
	if share == 0 {
		share = 1 - b.Canary
	}
	switch {
	case b.Mirrored || b.Canary == 0:
	case share <= 0:
		return NoBaseline
	case canary == 0 && other*b.Canary/share >= enough, other == 0 && canary*share/b.Canary >= enough:
		return NoReadings
	}
	return FewRequests
}

// Analyzer judges. It keeps no state between calls: a result is a function of
// the request and of what the store holds, so any process may ask at any time.
// It is safe for concurrent use, and ends when ctx does.
//
// An error is not evidence, neither good nor bad: the Result beside it is Blind
// and at most holds Values. Having no evidence yet is not an error, but Blind.
//
// An Analyzer that looks at intervals tells their length as a [Looker]. One with
// a method Validate() error is asked for its mistakes before a rollout begins.
type Analyzer interface {
	Analyze(ctx context.Context, r Request) (Result, error)
}

// Looker is what an Analyzer may be as well: Look is the length of one of its
// looks, the least time after which it can say something new.
type Looker interface {
	Look() time.Duration
}

// AnalyzerFunc makes an Analyzer of a function.
type AnalyzerFunc func(ctx context.Context, r Request) (Result, error)

// Analyze calls f.
func (f AnalyzerFunc) Analyze(ctx context.Context, r Request) (Result, error) { return f(ctx, r) }
