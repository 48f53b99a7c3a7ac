package main

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFaultBeginsAfterTheHealthyLooks(t *testing.T) {
	s := scenario{rps: 100, share: 0.5, healthy: 8, looks: 4, errors: constant(0, 0)}
	s = begun("", fixed(1), found).change(s)
	ro := s.roll(rand.New(rand.NewPCG(1, 1)))
	require.Len(t, ro.looks, 12)
	for k, l := range ro.looks {
		require.InEpsilon(t, 1500, l.Canary.Total, 0.2)
		require.InEpsilon(t, 1500, l.Baseline.Total, 0.2)
		require.Equal(t, k >= 8, l.Canary.Bad > 0, "look %d", k)
		require.Zero(t, l.Baseline.Bad)
	}
}

func TestACanaryAloneHasAllRequests(t *testing.T) {
	s := alone([]float64{10})[1]
	s.looks = 10
	for k, l := range s.roll(rand.New(rand.NewPCG(1, 1))).looks {
		n := s.requests(k)
		require.InDelta(t, 150, n.canary+n.baseline, 1e-9)
		require.Equal(t, k >= hour, l.Alone, "look %d", k)
		require.Equal(t, k == hour, l.Step, "look %d", k)
		if l.Alone {
			require.Zero(t, l.Baseline)
		}
	}
}

func TestRolloutsThatFailedBeforeTheFaultDoNotCount(t *testing.T) {
	s := scenario{name: "always bad", rps: 10, share: 0.5, healthy: 20, looks: 4, errors: constant(1, 0)}
	outcomes, err := run{n: 3, seed: 1}.apply(s, alike)
	require.NoError(t, err)
	require.Zero(t, outcomes[0].n)
	require.Equal(t, "-", variant{cell: found}.print(s, outcomes[0]))

	s.healthy = 0
	outcomes, err = run{n: 3, seed: 1}.apply(s, alike)
	require.NoError(t, err)
	require.Equal(t, []int{3, 3, 3}, outcomes[0].looks)
}

func TestCellsSayWhatWasFound(t *testing.T) {
	var o outcome
	for look := range 100 {
		o.looks = append(o.looks, look+1)
	}
	for _, c := range []struct {
		n                     int
		within, found, byHour string
	}{
		{100, "51 (96)", "100% 51 (91)", "100.0 / 100.0 / 100.0"},
		{104, "53 (99)", "96.2% 51 (91)", "96.2 / 96.2 / 96.2"},
		{110, "56 (-)", "90.9% 51 (91)", "90.9 / 90.9 / 90.9"},
		{400, "- (25%)", "25% 51 (91)", "25.0 / 25.0 / 25.0"},
	} {
		o.n = c.n
		require.Equal(t, c.within, within(scenario{}, o))
		require.Equal(t, c.found, found(scenario{}, o))
		require.Equal(t, c.byHour, byHours(scenario{}, o))
	}
	require.Equal(t, "0%", found(scenario{}, outcome{n: 3}))
	require.Equal(t, "12.500, 100.0", doubted(scenario{}, outcome{n: 2, looks: []int{20, 40}}))
	require.Equal(t, "1.0 / 2.0 / 3.0", byHours(scenario{}, outcome{n: 100, looks: []int{hour, 4 * hour, 24 * hour}}))
}

// The figures are those of many more repetitions, with room for chance.
func TestLateFaultsAreFoundSoon(t *testing.T) {
	for _, healthy := range []int{4, 201} {
		s := scenario{rps: 100, share: 0.2, healthy: healthy, errors: constant(0.001, 0.001)}
		last := 60
		for _, f := range []struct {
			fault
			latest int
		}{{times(2), 45}, {times(10), 5}, {times(100), 3}, {fixed(1), 3}} {
			outcomes, err := run{n: 50, seed: 3}.apply(begun("", f.fault, within).change(s), alike)
			require.NoError(t, err)
			median := outcomes[0].looks[25]
			require.LessOrEqual(t, median, min(f.latest, last), "after %d looks", healthy)
			last = median
		}
	}
}

// A canary that nobody reaches fails, and one whose route is missing does not.
func TestUnreachableCanariesFail(t *testing.T) {
	for _, s := range unreached() {
		if s.rps != 100 || s.share != 0.2 {
			continue
		}
		outcomes, err := run{n: 20, seed: 3}.apply(s, unreachable)
		require.NoError(t, err)
		switch s.name {
		case "healthy", "half of stable's", "20% of both", "weights not applied":
			require.LessOrEqual(t, outcomes[0].share(), 5., s.name)
		case "canary unreachable from the start", "canary unreachable after 60 looks":
			require.Equal(t, 3, outcomes[0].looks[10], s.name)
		}
	}
}

func TestACanaryThatBecomesSlowerIsAloneAsPlanned(t *testing.T) {
	s := scenario{rps: 100, share: 0.5, healthy: 8, looks: 4, slow: slow{1, 1, 1}}
	beside, alone := s.roll(rand.New(rand.NewPCG(1, 1))), becomingAlone(s).roll(rand.New(rand.NewPCG(1, 1)))
	require.Len(t, beside.expected, 3)
	for k, l := range beside.slow {
		require.Equal(t, k >= 8, l.Canary.Over[2] == l.Canary.Total, "look %d", k)
		require.InEpsilon(t, 0.355*1500, l.Baseline.Over[0], 0.25)
		require.False(t, l.Alone)
		require.Equal(t, k >= 8, alone.slow[k].Alone, "look %d", k)
		require.Equal(t, k == 8, alone.slow[k].Step, "look %d", k)
		require.Equal(t, k >= 8, alone.slow[k].Baseline.Total == 0, "look %d", k)
	}
	require.InEpsilon(t, 3000, alone.slow[8].Canary.Total, 0.2)
}

func TestArmsThatAreMisreadHaveTheSameErrorsInTheLongRun(t *testing.T) {
	var sum arms
	for i := range uint64(20) {
		now := misread(rand.New(rand.NewPCG(1, i)))
		for look := range hour {
			at := now(look)
			sum.canary += at.canary
			sum.baseline += at.baseline
		}
	}
	require.InEpsilon(t, 0.001+0.799*5/60, sum.canary/(20*hour), 0.02)
	require.InEpsilon(t, sum.canary, sum.baseline, 0.02)
}

// A canary with nothing but errors is failed, and a healthy one promoted.
func TestPlansAreCarriedOutToTheEnd(t *testing.T) {
	for _, s := range plans([]float64{100}) {
		bad := s.roll(rand.New(rand.NewPCG(1, 2)))
		looks, promoted, err := carriedOut(&bad)
		require.NoError(t, err)
		if strings.Contains(s.name, "->100%") {
			require.Equal(t, 3, looks, s.name)
			require.Zero(t, promoted, s.name)
		}
		s.errors = constant(0.001, 0.001)
		healthy := s.roll(rand.New(rand.NewPCG(1, 2)))
		looks, promoted, err = carriedOut(&healthy)
		require.NoError(t, err)
		require.Equal(t, []int{0, 1}, []int{looks, promoted}, s.name)
	}
}
