package main

import (
	"bytes"
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/evidence"
)

var update = flag.Bool("update", false, "write testdata anew")

// printed returns what a study prints.
func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, study(args, &out))
	return out.String()
}

func TestTheTablesDependOnTheSeedAlone(t *testing.T) {
	const golden = "testdata/tables.md"
	args := []string{"-n", "2", "-seed", "7", "-rps", "10"}
	first := printed(t, args...)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	require.Equal(t, first, printed(t, args...), "on one processor")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(first), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), first)
}

func TestAMistypedFlagIsAnError(t *testing.T) {
	for _, args := range [][]string{
		{"-n", "0"}, {"-rps", "1,x"}, {"-rps", "0.5"}, {"-rps", "NaN"}, {"-scenario", "("}, {"-tables", "0"}, {"-tables", "11"}, {"-tables", ""}, {"-unknown"},
	} {
		require.Error(t, study(args, &bytes.Buffer{}), "%q", args)
	}
	require.NoError(t, study([]string{"-h"}, &bytes.Buffer{}))
	require.NotContains(t, printed(t, "-n", "1", "-tables", "1", "-scenario", "latency", "-rps", "1"), "err 0.1%")
}

// deaf takes nothing.
type deaf struct{}

func (deaf) Write([]byte) (int, error) { return 0, errors.New("the disk is full") }

func TestAStudyThatCannotGoOnSaysWhy(t *testing.T) {
	require.ErrorContains(t, study([]string{"-n", "1", "-tables", "1", "-rps", "1"}, deaf{}), "the disk is full")
	mistaken := rule{"mistaken", judged(func(bool) evidence.Settings { return evidence.Settings{Alpha: 2} })}
	for _, s := range []scenario{healthy[0], healthy[2]} {
		s.rps = 1
		_, err := run{n: 3}.apply(s, []rule{rec, mistaken})
		require.ErrorContains(t, err, s.name+" by mistaken: alpha is 2")
	}
}

func TestHealthyCanariesOfTheStudyAreHardlyEverRolledBack(t *testing.T) {
	const n = 200
	limit := 100 * (0.01 + 3*math.Sqrt(0.01*0.99/n))
	rules := []rule{rec, serin}
	for _, s := range append(atRates(healthy[:2], []float64{1, 10, 100}), atRates(healthy[2:], []float64{10})...) {
		outcomes, err := run{n: n, seed: 1}.apply(s, rules)
		require.NoError(t, err)
		for j, o := range outcomes {
			require.LessOrEqual(t, o.share(), limit, "%s at %v by %s", s.name, s.rps, rules[j].name)
		}
	}
}

// The figures are those of the documentation of package sequential, and of many
// more repetitions.
func TestBadCanariesOfTheStudyAreFoundInTime(t *testing.T) {
	for _, c := range []struct {
		scenario         scenario
		share            float64
		earliest, latest float64 // median minutes of Serin
	}{
		{scenario{name: "twice the errors", rps: 10, errors: constant(0.002, 0.001)}, 90, 18, 25},
		{scenario{name: "twice the errors", rps: 100, errors: constant(0.002, 0.001)}, 100, 2.5, 4},
		{scenario{name: "ten times the errors", rps: 1, errors: constant(0.01, 0.001)}, 98, 6.5, 9},
		{scenario{name: "ten times the errors", rps: 10, errors: constant(0.01, 0.001)}, 100, 1, 1.5},
		{scenario{name: "10 % slower", rps: 10, slower: 1.1}, 98, 3.5, 5.5},
		{scenario{name: "50 % slower", rps: 10, slower: 1.5}, 100, 0.75, 0.75},
		{scenario{name: "twice the errors from minute 30 on", rps: 100, errors: late(0.005, 2)}, 100, 32, 34},
	} {
		outcomes, err := run{n: 200, seed: 2}.apply(c.scenario, []rule{serin})
		require.NoError(t, err)
		o := outcomes[0]
		require.GreaterOrEqual(t, o.share(), c.share, c.scenario.name)
		require.GreaterOrEqual(t, o.median(), c.earliest, c.scenario.name)
		require.LessOrEqual(t, o.median(), c.latest, c.scenario.name)
	}
}

// A screen spares the intervals of the minutes at which no canary can be high.
func TestKayentasRuleIsThatOfTheAnalyzer(t *testing.T) {
	found := 0
	for i := range uint64(30) {
		for _, s := range []scenario{{rps: 10, errors: constant(0.003, 0.001)}, {rps: 1, slower: 1.2}} {
			ro := s.roll(rand.New(rand.NewPCG(3, i)))
			k, x, _ := ro.kayenta()
			first := 0
			for n := 5; n <= 12 && first == 0; n++ {
				k.Lifetime = time.Duration(n) * time.Minute
				failed, err := fails(k, n)
				require.NoError(t, err)
				if failed {
					first = n * perMinute
				}
			}
			got, err := mannWhitneyEach(&ro)
			require.NoError(t, err)
			if got > 12*perMinute {
				got = 0
			}
			require.Equal(t, first, got)
			require.Len(t, x, 60)
			if first > 0 {
				found++
			}
		}
	}
	require.Greater(t, found, 10)
}
