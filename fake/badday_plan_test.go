package fake_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/fake"
	"github.com/serin-go/serin/mirror"
	"github.com/stretchr/testify/require"
)

// badScenario is all that is random of a rollout, drawn before it begins.
type badScenario struct {
	seed    uint64
	name    string
	plan    canary.Plan
	run     bool // by Runner.Run, or by Runner.Turn as a controller does
	watch   bool
	edge    bool
	patient bool // it is watched for more than a day, the longest Retreat
	// scarce: pods have a capacity; autoscaled: and autoscalers. scaling: the rollout scales them;
	// follows: by the load.
	scarce, autoscaled, scaling, follows bool
	troubles                             []*badTrouble
	// perSecond is how many requests the sidecars send; zero is badRate. usual is how both
	// versions are without a trouble. judged: by the library's judge, and not by the script.
	perSecond float64
	usual     fake.Behaviour
	judged    bool
}

// badPlans are the README's plans, and short variants of them.
var badPlans = []struct {
	name  string
	often int
	plan  canary.Builder
}{
	{"README", 1, readme(5*time.Minute, 10*time.Minute).Bake(10 * time.Minute)},
	{"Recommended", 1, canary.Recommended("reviews")},
	{"short README", 3, readme(time.Minute, 90*time.Second)},
	{"short Recommended", 3, short()},
}

// readme is the README's own plan.
func readme(dark, hold time.Duration) canary.Builder {
	return canary.NewPlan("reviews").
		Settle(10*time.Second).ScrapeLag(30*time.Second).
		Step(mirror.Steps(canary.Step{Name: "dark launch", Hold: dark}, canary.Full)...).
		Weights(canary.Linear(20*canary.Percent, 20*canary.Percent, canary.Full), canary.Step{Hold: hold, Deadline: time.Hour}).
		End(canary.End{Kind: canary.PromoteStable, Deadline: 15 * time.Minute})
}

// short is what canary.Recommended does, with short holds.
func short() canary.Builder {
	return canary.NewPlan("reviews").
		Settle(10*time.Second).ScrapeLag(30*time.Second).
		Weights(canary.List(5*canary.Percent, 20*canary.Percent, 50*canary.Percent), canary.Step{Hold: 2 * time.Minute}).
		End(canary.End{Kind: canary.PromoteStable, Deadline: 15 * time.Minute}).
		Bake(2 * time.Minute)
}

// drawBadDay draws a rollout and one to three troubles. Most of the later ones come soon after
// the one before, which may hide them. A quarter of the first ones come around the promotion,
// which is short and delicate.
func drawBadDay(t *testing.T, seed, i uint64, judged bool) badScenario {
	t.Helper()
	dice := rand.New(rand.NewPCG(seed, i))
	s := badScenario{judged: judged, seed: dice.Uint64(), run: dice.IntN(2) == 0, watch: dice.IntN(2) == 0, patient: dice.IntN(100) == 0}
	s.scaling, s.follows = dice.IntN(2) == 0, dice.IntN(2) == 0
	var all []int
	for k, p := range badPlans {
		for range p.often {
			all = append(all, k)
		}
	}
	p := badPlans[all[dice.IntN(len(all))]]
	plan, err := p.plan.Build()
	require.NoError(t, err)
	s.name, s.plan = p.name, plan.For("v2")
	lasts := s.healthy()
	for n := range 1 + dice.IntN(3) {
		s.draw(dice, n, lasts)
	}
	if first := s.troubles[0]; len(s.troubles) == 1 && first.kind.pins != nil && dice.IntN(3) > 0 {
		s.draw(dice, 1, lasts) // nothing is seen of a trouble that only hides others
	}
	return s
}

// draw draws the next trouble.
func (s *badScenario) draw(dice *rand.Rand, n int, lasts time.Duration) {
	at, soon := between(dice, 0, lasts), n > 0 && dice.IntN(4) > 0
	switch {
	case soon:
		at = s.troubles[n-1].at + between(dice, 0, 2*time.Minute)
	case n == 0 && dice.IntN(4) == 0:
		at = lasts - s.plan.Bake() - between(dice, 0, 3*time.Minute) // around the promotion
	}
	tr := drawTrouble(dice, at, s.troubles, soon)
	if tr.kind.autoscaled { // from the beginning, whenever the load grows
		tr.share = 1
	}
	if tr.kind.late && !soon {
		tr.at = between(dice, lasts/2, lasts)
	}
	s.edge, s.scarce, s.autoscaled = s.edge || tr.kind.edge, s.scarce || tr.kind.scarce, s.autoscaled || tr.kind.autoscaled
	s.troubles = append(s.troubles, tr)
}

// badProof is what the library's judge needs of the first share beyond the hold.
const badProof = 2 * time.Minute

// healthy is how long the plan takes if nothing happens: each step settles, is scraped and
// seen once or held, and stable is updated in the end.
func (s *badScenario) healthy() time.Duration {
	p := s.plan
	all := 2*p.Settle() + badWhole(p) + p.Bake()
	if s.judged {
		all += badProof
	}
	for _, step := range p.Steps() {
		all += p.Settle() + max(step.Hold, p.ScrapeLag()+badLook) + p.Interval()
	}
	return all
}

func between(dice *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(dice.Int64N(int64(most-least)))
}

func (s badScenario) String() string {
	by := "Turn"
	if s.run {
		by = "Run"
	}
	text := fmt.Sprintf("%s plan, by %s, watched pods %v, scales %v, by load %v, autoscaled %v", s.name, by, s.watch, s.scaling, s.follows, s.autoscaled)
	for _, t := range s.troubles {
		text += "; " + t.String()
	}
	return text
}
