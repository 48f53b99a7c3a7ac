package canary

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary/phase"
)

// E25: whatever the clocks of the drivers show, no hold ends early by more than a minute, the
// rollout ends, nobody writes again and again, and a difference of minutes is told.
func TestNoHoldEndsEarlyWhateverTheClocksShow(t *testing.T) {
	const ideal = 40*time.Minute + 15*time.Second
	for _, d := range []time.Duration{0, 30 * time.Second, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour - time.Minute} {
		for _, c := range clockCases(d) {
			t.Run(d.String()+" "+c.name, func(t *testing.T) {
				w := newClockWorld(t, c.drivers...)
				w.run(4 * time.Hour)
				s, lasted := w.reading.State, w.now.Sub(epoch)
				t.Logf("a hold lasted %v to %v longer, all %v, %d writes, %d early windows, %v", w.shortest, w.longest, lasted, w.writes, w.early, s.Phase)
				require.LessOrEqual(t, w.writes, 80)
				require.True(t, w.told || d <= 2*maxSkew)
				if c.blind && d > maxSkew { // the only clock is not that of the metric store
					require.Equal(t, phase.Retreating, s.Phase)
					return
				}
				require.Equal(t, phase.Promoted, s.Phase)
				require.GreaterOrEqual(t, w.shortest, -min(d, maxSkew))
				require.LessOrEqual(t, lasted, ideal+d+16*time.Minute)
			})
		}
	}
}

type clockCase struct {
	name    string
	drivers []clockDriver
	blind   bool
}

func clockCases(d time.Duration) []clockCase {
	return []clockCase{
		{name: "right one first, ahead joins", drivers: []clockDriver{{}, {skew: d, from: 5 * time.Minute}}},
		{name: "right one first, behind joins", drivers: []clockDriver{{}, {skew: -d, from: 5 * time.Minute}}},
		{name: "ahead first, right one joins", drivers: []clockDriver{{skew: d}, {from: 5 * time.Minute}}},
		{name: "behind first, right one joins", drivers: []clockDriver{{skew: -d}, {from: 5 * time.Minute}}},
		{name: "ahead dies and comes back", drivers: []clockDriver{{}, {skew: d, from: 5 * time.Minute, till: 8 * time.Minute}, {skew: d, from: 15 * time.Minute}}},
		{name: "right dies, ahead takes over", blind: true, drivers: []clockDriver{{till: 3 * time.Minute}, {skew: d, from: 4 * time.Minute}}},
		{name: "right dies, behind takes over", drivers: []clockDriver{{till: 3 * time.Minute}, {skew: -d, from: 4 * time.Minute}}},
		{name: "ahead is a cron job", drivers: []clockDriver{{}, {skew: d, cron: 30 * time.Second}}},
		{name: "behind is a cron job", drivers: []clockDriver{{}, {skew: -d, cron: 30 * time.Second}}},
		{name: "both are cron jobs, one ahead", drivers: []clockDriver{{cron: 30 * time.Second}, {skew: d, cron: 40 * time.Second}}},
		{name: "a cron job each 4 min", drivers: []clockDriver{{cron: 4 * time.Minute}}},
		{name: "its clock jumps there and back", drivers: []clockDriver{{jumps: []clockJump{{7 * time.Minute, d}, {17 * time.Minute, -d}}}}},
		{name: "one of two jumps there and back", drivers: []clockDriver{{}, {jumps: []clockJump{{7 * time.Minute, d}, {17 * time.Minute, -d}}}}},
	}
}

// The shares of a return in steps are held as steps are.
func TestNoShareOfAReturnEndsEarlyWhateverTheClocksShow(t *testing.T) {
	plan, err := NewPlan("clocks").Settle(5*time.Second).ScrapeLag(15*time.Second).Weights(List(Full), Step{Hold: clockHold, Requires: NoFailure}).
		End(End{Kind: PromoteStable}).ReturnInSteps(clockHold, 10*Percent, 50*Percent).Build()
	require.NoError(t, err)
	for _, d := range []time.Duration{0, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute} {
		for _, lacking := range []Weight{0, 95 * Percent} {
			for _, c := range clockCases(d) {
				t.Run(fmt.Sprintf("%v %s, stable lacks %v", d, c.name, lacking), func(t *testing.T) {
					w := newClockWorld(t, c.drivers...)
					w.plan, w.pods = plan, fewPods{lacking}
					w.run(6 * time.Hour)
					s, lasted := w.reading.State, w.now.Sub(epoch)
					t.Logf("a hold lasted %v to %v longer, all %v, %d writes, %v", w.shortest, w.longest, lasted, w.writes, s.Phase)
					require.LessOrEqual(t, w.writes, 100)
					if c.blind && d > maxSkew { // the only clock is not that of the metric store
						require.Equal(t, phase.Retreating, s.Phase)
						return
					}
					require.Equal(t, phase.Promoted, s.Phase)
					if lacking == 0 { // otherwise stable gets a share in parts
						require.GreaterOrEqual(t, w.shortest, -min(d, maxSkew))
					}
					require.LessOrEqual(t, lasted, 3*(clockHold+giving)+d+35*time.Minute)
				})
			}
		}
	}
}

// fewPods is a Workload whose stable lacks pods for a share.
type fewPods struct{ lacking Weight }

func (fewPods) Pin(context.Context, Question) (Pin, Answer, error) {
	return Pin{Capacity: "10"}, Answer{Reply: Yes}, nil
}
func (fewPods) Ready(context.Context, Question) (Answer, error)   { return Answer{Reply: Yes}, nil }
func (fewPods) Promote(context.Context, Question) (Answer, error) { return Answer{Reply: Yes}, nil }
func (fewPods) Restore(context.Context, Question) (Answer, error) { return Answer{Reply: Yes}, nil }
func (p fewPods) Inspect(context.Context, Question) (Inspection, error) {
	return Inspection{Shortfall: p.lacking}, nil
}
