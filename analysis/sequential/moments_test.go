package sequential_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/metrics"
)

// scraped is a shop whose arms are read once a minute, the baseline half a minute after the canary.
type scraped struct{ *shop }

func (s scraped) Sequence(ctx context.Context, q metrics.Query, windows []metrics.Window) ([]metrics.Counts, error) {
	after := time.Duration(0)
	if q.Arm == shopV1 {
		after = 30 * time.Second
	}
	counts := make([]metrics.Counts, len(windows))
	for i, w := range windows {
		read := w.From.Add(-after).Truncate(time.Minute).Add(time.Minute + after)
		if !w.Contains(read) {
			continue
		}
		since, err := s.shop.Sequence(ctx, q, []metrics.Window{{From: read.Add(-time.Minute), To: read}})
		if err != nil {
			return nil, err
		}
		counts[i] = since[0]
	}
	return counts, nil
}

// V11: looks of 15 seconds, and counters that are read once a minute, each arm at its own moment.
func TestArmsThatAreReadAtDifferentMomentsAreCompared(t *testing.T) {
	for name, c := range map[string]struct {
		bad         float64
		least, most int // of 40 rollouts that fail
	}{
		"healthy":           {0.001, 0, 2},
		"fifty times worse": {0.05, 38, 40},
	} {
		t.Run(name, func(t *testing.T) {
			failed := 0
			for seed := range uint64(40) {
				s := newShop(arm{bad: 0.001}, arm{bad: c.bad})
				s.seed = seed
				judge := judgeOf(s)
				judge.Provider, judge.Tuning.IgnoreSplit = scraped{s}, false
				r := request(30*60 + 5)
				result, err := judge.Analyze(t.Context(), r)
				require.NoError(t, err)
				require.NotEqual(t, analysis.NotAsPlanned, result.Blindness, result.Reason)
				if result.Verdict == analysis.Fail {
					failed++
				}
			}
			t.Logf("%d of 40 failed", failed)
			require.LessOrEqual(t, c.least, failed)
			require.LessOrEqual(t, failed, c.most)
		})
	}
}

// What was read is the same whether more was read afterwards: a look that is open is none.
func TestALookThatIsOpenIsNoEvidence(t *testing.T) {
	s := newShop(arm{bad: 0.2}, arm{bad: 0.9})
	judge := judgeOf(s)
	judge.Provider = scraped{s}
	trace := []float64{}
	for seconds := 20; seconds < 400; seconds += 15 {
		result, err := judge.Analyze(t.Context(), request(seconds))
		require.NoError(t, err)
		now := report(result).Trace.LogE
		require.Equal(t, trace, now[:len(trace)], "after %d seconds", seconds)
		trace = now
	}
}

// V13: pods start cold in each step, as an autoscaler adds them. What they do in their first looks
// is not judged in any step; where the share does not grow, nothing is left out.
func TestEachStepHasItsWarmUp(t *testing.T) {
	begin := time.Unix(1e9, 0)
	cold := chapterOf(0.05)
	var s novel
	s.drawn = draws{}
	var blocks []analysis.Block
	at := begin
	for i, share := range []float64{0.05, 0.2, 0.2, 0.5} {
		grew := i != 2
		to := at.Add(10 * time.Minute)
		if grew {
			s.chapters = append(s.chapters, chapter{at, cold})
		}
		s.chapters = append(s.chapters, chapter{at.Add(30 * time.Second), chapterOf(0.001)})
		blocks = append(blocks, analysis.Block{Window: metrics.Window{From: at, To: to}, Canary: share})
		at = to
	}
	last := len(blocks) - 1
	r := analysis.Request{Began: begin, Earlier: blocks[:last], Window: blocks[last].Window, Canary: 0.5}
	judge := judgeOf(nil)
	judge.Provider = s
	result, err := judge.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, analysis.Fail, result.Verdict, "without a warm-up the cold pods fail it")

	judge.Tuning.Warmup = 2
	result, err = judge.Analyze(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, analysis.Pass, result.Verdict, result.Reason)
	require.EqualValues(t, (4*600-3*30-15)*10, report(result).Findings[0].Canary.Total, "three warm-ups, and the look that is not final")
}

// chapterOf is a canary with such a share of bad requests beside a good baseline.
func chapterOf(bad float64) map[metrics.Arm]arm {
	return map[metrics.Arm]arm{shopV1: {190, 0.001, time.Millisecond}, shopV2: {10, bad, time.Millisecond}}
}
