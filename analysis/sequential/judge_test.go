package sequential_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/analysis/sequential"
	"github.com/serin-go/serin/metrics"
)

// shop answers from what its arms do in a second, which a seed decides.
type shop struct {
	metrics.Provider
	seed  uint64
	arms  map[metrics.Arm]arm
	asked int
	err   map[metrics.Arm]error
	drawn draws
}

// draws keep what was drawn, as a judge asks for it again and again.
type draws map[draw]metrics.Counts

// draw is what one of them depends on.
type draw struct {
	seed  uint64
	arm   arm
	query metrics.Query
	at    int64
}

// of is what happened to a shop in a second.
func (d draws) of(s *shop, q metrics.Query, at time.Time) metrics.Counts {
	key := draw{s.seed, s.arms[q.Arm], q, at.Unix()}
	counts, known := d[key]
	if !known {
		counts = s.second(q, at)
		d[key] = counts
	}
	return counts
}

type arm struct {
	requests float64       // a second
	bad      float64       // share
	mean     time.Duration // of the time that a request takes
}

func (s *shop) Sequence(_ context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	s.asked++
	if s.drawn == nil {
		s.drawn = draws{}
	}
	if err := s.err[q.Arm]; err != nil {
		return nil, err
	}
	counts := make([]metrics.Counts, len(windows))
	for i, w := range windows {
		for at := w.From; at.Before(w.To); at = at.Add(time.Second) {
			counts[i] = counts[i].Add(s.drawn.of(s, q, at))
		}
	}
	return counts, nil
}

// second draws what happened in a second: the same whoever asks, and for
// whatever signal.
func (s *shop) second(q metrics.Query, at time.Time) metrics.Counts {
	a := s.arms[q.Arm]
	dice := rand.New(rand.NewPCG(s.seed, uint64(at.Unix())<<8|uint64(len(q.Arm.Workload))))
	bound, slow := q.Signal.Bound()
	bad := 0
	for range int(a.requests) {
		failed, took := dice.Float64() < a.bad, time.Duration(dice.ExpFloat64()*float64(a.mean))
		if slow && took > bound || !slow && failed {
			bad++
		}
	}
	return metrics.Counts{Total: a.requests, Bad: float64(bad)}
}

func (s *shop) SlowerThan(ctx context.Context, q metrics.Query, bounds []time.Duration, windows []metrics.Window) ([][]metrics.Counts, error) {
	asked := s.asked
	all, err := eachBound(ctx, s.Sequence, q, bounds, windows)
	s.asked = asked + 1
	return all, err
}

// sequence is the method of a metrics.Sequencer.
type sequence func(context.Context, metrics.Query, []metrics.Window) ([]metrics.Counts, error)

// eachBound asks for one bound after the other.
func eachBound(ctx context.Context, ask sequence, q metrics.Query, bounds []time.Duration, windows []metrics.Window) (all [][]metrics.Counts, err error) {
	for _, b := range bounds {
		q.Signal = metrics.SlowerThan(b)
		counts, err := ask(ctx, q, windows)
		if err != nil {
			return nil, err
		}
		all = append(all, counts)
	}
	return all, nil
}

var (
	shopV1 = metrics.Arm{Namespace: "shop", Workload: "shop-v1"}
	shopV2 = metrics.Arm{Namespace: "shop", Workload: "shop-v2.x"} // another length, another draw
)

// newShop is one whose canary gets 5 % of 200 requests a second.
func newShop(v1, v2 arm) *shop {
	v1.requests, v2.requests = 190, 10
	return &shop{seed: 1, arms: map[metrics.Arm]arm{shopV1: v1, shopV2: v2}}
}

func judgeOf(s *shop) sequential.Judge {
	return sequential.Judge{
		Provider: s, Canary: shopV2, Baseline: shopV1,
		Metrics: []sequential.Metric{sequential.Rate{}}, Tuning: sequential.Tuning{IgnoreSplit: true},
	}
}

func report(r analysis.Result) *sequential.Report { return r.Details.(*sequential.Report) }

func request(seconds int) analysis.Request {
	begin := time.Unix(1e9, 0)
	return analysis.Request{Window: metrics.Window{From: begin, To: begin.Add(time.Duration(seconds) * time.Second)}, Canary: 0.05}
}

func TestABadCanaryFailsWithAReasonAndAHealthyOnePasses(t *testing.T) {
	for _, c := range []struct {
		name    string
		bad     float64
		verdict analysis.Verdict
		says    string
	}{
		{"ten times the errors", 0.05, analysis.Fail, "times the rate; not by chance"},
		{"the same errors", 0.005, analysis.Pass, "server errors"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShop(arm{bad: 0.005}, arm{bad: c.bad})
			r, err := judgeOf(s).Analyze(t.Context(), request(3600))
			require.NoError(t, err)
			require.Equal(t, c.verdict, r.Verdict, r.Reason)
			require.Contains(t, r.Reason, c.says)
			require.True(t, report(r).Findings[0].Known)
			require.Equal(t, 2, s.asked, "one question for each arm")
		})
	}
}

func TestLowTrafficSaysHowMuchIsMissing(t *testing.T) {
	s := &shop{seed: 1, arms: map[metrics.Arm]arm{shopV1: {requests: 19}, shopV2: {requests: 1}}}
	r, err := judgeOf(s).Analyze(t.Context(), request(300))
	require.NoError(t, err)
	require.Equal(t, analysis.Inconclusive, r.Verdict)
	require.Regexp(t, `canary has 0/285 .*: about [0-9]+ more requests, .* at the present traffic`, r.Reason)
	require.Equal(t, report(r).Findings[0].After, r.After)
	require.NotZero(t, r.After)
}

// What was found does not depend on who looked when: after all that happened
// before, every driver says the same, and what failed stays failed.
func TestEvidenceIsTheSameWhoeverGathersIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newShop(arm{bad: 0.01}, arm{bad: 0.01 * rapid.Float64Range(0.5, 8).Draw(t, "worse")})
		s.seed = rapid.Uint64().Draw(t, "seed")
		begin := time.Unix(1e9, 0)
		var earlier []analysis.Block
		at := begin
		for range rapid.IntRange(0, 4).Draw(t, "steps") {
			end := at.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "length")) * time.Second)
			earlier = append(earlier, analysis.Block{Window: metrics.Window{From: at, To: end}, Canary: 0.05})
			at = end.Add(time.Minute)
		}
		for _, seconds := range rapid.SliceOfNDistinct(rapid.IntRange(1, 600), 1, 6, rapid.ID[int]).Draw(t, "looks") {
			r := analysis.Request{Window: metrics.Window{From: at, To: at.Add(time.Duration(seconds) * time.Second)}, Canary: 0.05, Earlier: earlier}
			one, err := judgeOf(s).Analyze(context.Background(), r)
			require.NoError(t, err)
			again, err := judgeOf(s).Analyze(context.Background(), r)
			require.NoError(t, err)
			require.Equal(t, one, again)
		}
		failed := false
		var last analysis.Result
		whole := analysis.Request{Window: metrics.Window{From: at, To: at.Add(600 * time.Second)}, Canary: 0.05, Earlier: earlier}
		for seconds := 15; seconds <= 600; seconds += 15 {
			r := whole
			r.Window.To = at.Add(time.Duration(seconds) * time.Second)
			one, err := judgeOf(s).Analyze(context.Background(), r)
			require.NoError(t, err)
			if failed {
				require.Equal(t, last, one, "a fail stays what it was")
			}
			failed, last = one.Verdict == analysis.Fail, one
		}
	})
}
