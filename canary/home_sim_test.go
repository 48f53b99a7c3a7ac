package canary

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

var simStates = flag.Uint64("canary.states", 1_000, "random States that an abort has to lead home from")

// From every State, whether a rollout could have written it or not, an Abort leads
// to stable only, nothing panics, and what is written can be read.
func TestFromEveryStateAnAbortLeadsHome(t *testing.T) {
	ends := map[string]int{}
	for seed := *simSeed; seed < *simSeed+*simStates; seed++ {
		p := newPlace(seed)
		before := *p
		end, err := p.lead()
		if err != nil {
			require.NoError(t, err, "-canary.seed=%d -canary.states=1\n%s", seed, before.describe())
		}
		ends[end]++
	}
	t.Logf("%d States: %v", *simStates, ends)
	require.NotZero(t, ends["rolled back"])
}

// somewhere is a random State on an object, with a driver that finds it there. It
// is the driver's Router, and all its other parts.
type somewhere struct {
	rng     *rand.Rand
	plan    Plan
	now     time.Time
	traffic Traffic
	state   []byte
	read    *Reading // of state, as long as that stays
	bad     error
	abort   string
	version int
	refuses int // questions that are answered with an error
	law     error
}

func newPlace(seed uint64) *somewhere {
	rng := rand.New(rand.NewPCG(seed, 11))
	p := &somewhere{rng: rng, now: epoch.Add(24 * time.Hour), plan: randomScenario(rng).plan, refuses: rng.IntN(5)}
	p.traffic = p.anyTraffic()
	s := p.anyState()
	if rng.IntN(2) == 0 {
		p.traffic = s.Traffic
	}
	var err error
	if p.state, err = json.Marshal(s); err != nil || rng.IntN(8) == 0 {
		p.state = []byte(pick(rng, "", "{", `{"version":9}`, `{"version":1,"place":{"phase":"Flying"}}`))
	}
	return p
}

func (p *somewhere) describe() string {
	return fmt.Sprintf("%v, state %s, plan %+v", p.traffic, p.state, *p.plan.spec)
}

func pick[T any](rng *rand.Rand, all ...T) T { return all[rng.IntN(len(all))] }

func (p *somewhere) anyTraffic() Traffic {
	return pick(p.rng, Traffic{}, Traffic{}, everything, p.plan.spec.steps[0].Traffic, Traffic{Canary: 30 * Percent, Cohorts: "staff"}, Traffic{Mirror: Full},
		Traffic{HeaderRoutes: true}, Traffic{Canary: Full, HeaderRoutes: true})
}

func (p *somewhere) anyTime() time.Time {
	return pick(p.rng, time.Time{}, p.now, p.now.Add(-time.Hour), p.now.Add(time.Hour), p.now.Add(-time.Second), earliest, latest)
}

func (p *somewhere) anyState() State {
	rng := p.rng
	yes := func() bool { return rng.IntN(4) == 0 }
	s := State{
		Serial: pick(rng, 0, 1, p.now.UnixMilli(), maxSerial-1),
		Rollout: Rollout{
			Plan: pick(rng, p.plan.Digest(), p.plan.Digest(), "another"), Name: "name", Owner: pick(rng, "", "", "stranger"),
			End: pick(rng, p.plan.End().Kind, EndKind(rng.IntN(len(endNames)))), Began: p.now.Add(-time.Hour),
		},
		Place: Place{
			Phase: phase.Phase(rng.IntN(int(phase.RolledBack) + 1)), Step: pick(rng, 0, 0, p.plan.Len()-1, p.plan.Len(), maxSteps),
			Traffic: p.anyTraffic(), Outcome: pick(rng, phase.Idle, p.plan.spec.goal(), phase.Promoted, phase.Discarded, phase.RolledBack), Giving: pick(rng, time.Time{}, time.Time{}, p.now),
		},
		clock:   clock{Entered: p.now.Add(-time.Minute), Shifted: p.anyTime(), Verified: p.anyTime(), Promotion: p.anyTime(), Baked: p.anyTime()},
		orders:  orders{PromoteNow: yes(), Skipped: yes()},
		History: History{Drifts: rng.IntN(3), Drifting: yes(), Recalled: yes()},
	}
	if yes() {
		s.Paused, s.PausedFor = p.anyTime(), time.Duration(rng.Int64N(int64(longest)))
	}
	if yes() {
		s.Retreat = retreat{Cause: cause.Cause(rng.IntN(int(cause.Over) + 1)), Since: p.anyTime(), Gone: p.anyTime()}
	}
	if yes() {
		s.Command = Command{Order: order.Order(rng.IntN(len(means))), Gate: "door"}
	}
	if yes() {
		s.Approved = []string{"door"}
	}
	for range rng.IntN(3) {
		s.add(block{p.now.Add(-time.Hour), p.now, Traffic{Canary: Percent}}, time.Second)
	}
	return s
}

// lead orders an Abort and lets a driver go on until nothing is left to do.
func (p *somewhere) lead() (end string, err error) {
	runner, err := NewRunner(Config{Plan: p.plan, Router: p, Analyzer: p, Workload: p, Prerequisites: []Prerequisite{p}, Verifier: p, Gates: nil})
	if err != nil {
		return "", err
	}
	runner.now, runner.ran = func() time.Time { return p.now }, func() time.Duration { return 0 }
	before, _ := p.Read(context.Background())
	if p.rng.IntN(2) == 0 && (before.State.Owner == p.plan.spec.owner || len(p.state) == 0) {
		err := Send(context.Background(), p, Command{Order: order.Abort, Why: "sent"})
		if err != nil && !errors.Is(err, ErrNotNow) {
			return "", err
		}
	}
	p.abort = "annotated" // a person who sees that it is not over
	for range 200 {
		e, err := runner.Turn(context.Background())
		if p.law != nil {
			return "", p.law
		}
		p.now = p.now.Add(max(e.Wait, time.Second))
		r, _ := p.Read(context.Background())
		s := r.State
		switch {
		case p.abort != "" || err != nil && p.refuses > 0:
		case err != nil:
			return "", fmt.Errorf("an error in peace: %w", err)
		case s.Phase == phase.RolledBack && p.traffic == Traffic{}:
			return "rolled back", nil
		case s.Phase.Final() && p.traffic == Traffic{}:
			return "at its end already", nil
		case s.Phase.Final() && p.traffic == s.Traffic && p.traffic.Canary == before.Traffic.Canary && !p.traffic.HeaderRoutes:
			return "too late", nil
		case s.Phase == phase.Preparing && p.traffic == Traffic{}:
			return "begun anew", nil // the rollout of another plan was over
		}
	}
	return "", fmt.Errorf("no end: %v, %s", p.traffic, p.state)
}

func (p *somewhere) Read(context.Context) (Reading, error) {
	if p.read == nil {
		p.read, p.bad = &Reading{Traffic: p.traffic, Version: p.version}, nil
		if len(p.state) > 0 {
			if err := p.read.State.UnmarshalJSON(p.state); err != nil {
				p.read.State, p.bad = State{}, fmt.Errorf("%w: %w", ErrBadState, err)
			}
		}
	}
	r := *p.read
	r.Abort = p.abort
	return r, p.bad
}

func (p *somewhere) Write(_ context.Context, r Reading, t Traffic, s State) error {
	data, err := s.MarshalJSON()
	if err != nil {
		p.law = fmt.Errorf("written: %w", err)
		return err
	}
	p.traffic, p.state, p.read = t, data, nil
	p.version++
	if back, err := p.Read(context.Background()); err != nil {
		p.law = fmt.Errorf("read back: %w", err)
	} else if again, err := back.State.MarshalJSON(); err != nil || !slices.Equal(again, data) {
		p.law = fmt.Errorf("read back as another State: %s, %w", again, err)
	}
	if r.Abort != "" {
		p.abort = ""
	}
	return nil
}

// answer is an error now and then, then Wait, then Yes.
func (p *somewhere) answer() (Answer, error) {
	if p.refuses > 0 {
		p.refuses--
		return Answer{}, pick(p.rng, ErrRefused, ErrForbidden, ErrConflict, errFault)
	}
	return pick(p.rng, Wait.Because("soon"), Answer{Reply: Yes}), nil
}

func (p *somewhere) Pin(context.Context, Question) (Pin, Answer, error) {
	a, err := p.answer()
	return Pin{}, a, err
}
func (p *somewhere) Ready(context.Context, Question) (Answer, error) { return p.answer() }
func (p *somewhere) Inspect(context.Context, Question) (Inspection, error) {
	a, err := p.answer()
	return Inspection{Dead: pick(p.rng, "", "", a.Reason), StableChanged: pick(p.rng, "", "", "", a.Reason), Failed: pick(p.rng, "", "", a.Reason)}, err
}
func (p *somewhere) Promote(context.Context, Question) (Answer, error) { return p.answer() }
func (p *somewhere) Restore(context.Context, Question) (Answer, error) { return p.answer() }
func (p *somewhere) Ensure(context.Context, Question) (Answer, error)  { return p.answer() }
func (p *somewhere) Cleanup(context.Context, Question) (Answer, error) { return p.answer() }
func (p *somewhere) Verify(context.Context, Traffic, time.Time) (Answer, error) {
	return p.answer()
}
func (p *somewhere) Analyze(context.Context, analysis.Request) (analysis.Result, error) {
	_, err := p.answer()
	return analysis.Result{}, err
}
