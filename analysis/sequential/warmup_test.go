package sequential_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/metrics"
)

// coldThenWell are blocks of ten minutes with the shares, and between each two of them the same gap. The
// canary is cold in the first minute of each.
func coldThenWell(gap time.Duration, shares ...float64) (s novel, blocks []analysis.Block) {
	s.drawn = draws{}
	at := time.Unix(1e9, 0)
	for _, share := range shares {
		to := at.Add(10 * time.Minute)
		s.chapters = append(s.chapters, chapter{at, chapterOf(0.3)}, chapter{at.Add(time.Minute), chapterOf(0.001)})
		blocks = append(blocks, analysis.Block{Window: metrics.Window{From: at, To: to}, Canary: share})
		at = to.Add(gap)
	}
	return s, blocks
}

func requestOf(blocks []analysis.Block, dropped int) analysis.Request {
	last := len(blocks) - 1
	return analysis.Request{Began: time.Unix(1e9, 0), Earlier: blocks[:last], Dropped: dropped, Window: blocks[last].Window, Canary: blocks[last].Canary}
}

// What was a warm-up is none of the evidence when the blocks before it are dropped.
func TestAWarmUpIsLeftOutWhenOlderBlocksAreDropped(t *testing.T) {
	s, blocks := coldThenWell(0, 0.05, 0.2, 0.5)
	judge := judgeOf(nil)
	judge.Provider, judge.Tuning.Warmup = s, 4
	for drop := range 3 {
		result, err := judge.Analyze(t.Context(), requestOf(blocks[drop:], drop*40))
		require.NoError(t, err)

		require.Equal(t, analysis.Pass, result.Verdict, "%d blocks are dropped: %s", drop, result.Reason)
	}
}

// After a Retreat the pods are others, and the canary gets its share again.
func TestAShareThatComesBackHasItsWarmUp(t *testing.T) {
	s, blocks := coldThenWell(5*time.Minute, 0.2, 0.2)
	judge := judgeOf(nil)
	judge.Provider, judge.Tuning.Warmup = s, 4
	result, err := judge.Analyze(t.Context(), requestOf(blocks, 0))
	require.NoError(t, err)
	require.Equal(t, analysis.Pass, result.Verdict, result.Reason)
}
