package canary

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/metrics"
)

// E22: whatever a State says, one turn asks for a bounded number of looks.
func TestARequestHasABoundedNumberOfLooks(t *testing.T) {
	look := 10 * time.Second
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	window := func(looks int) metrics.Window {
		return metrics.Window{From: now.Add(-time.Duration(looks) * look), To: now}
	}
	ago := func(from, to int) block {
		return block{now.Add(-time.Duration(from) * look), now.Add(-time.Duration(to) * look), Traffic{Canary: Percent}}
	}
	for name, c := range map[string]struct {
		window  metrics.Window
		blocks  blocks
		from    int // in looks ago
		earlier int // blocks that are left
		dropped int
	}{
		"few":                   {window(60), blocks{ago(100, 80), ago(80, 60)}, 60, 2, 0},
		"a month in one step":   {window(259_200), blocks{ago(260_000, 259_300), ago(259_300, 259_200)}, maxLooks, 0, 259_200 - maxLooks + 800},
		"since 1970":            {metrics.Window{From: time.Unix(0, 0), To: now}, nil, maxLooks, 0, int(now.Sub(time.Unix(0, 0))/look) - maxLooks},
		"days in an older step": {window(100), blocks{ago(30_000, 20_000), ago(20_000, 150), ago(150, 100)}, 100, 1, 10_000 + 19_850},
	} {
		t.Run(name, func(t *testing.T) {
			e := evidence{Blocks: c.blocks}
			w, earlier, dropped := e.bounded(c.window, look)
			require.Less(t, now.Add(-time.Duration(c.from)*look).Sub(w.From).Abs(), look)
			require.Zero(t, w.From.Sub(c.window.From)%look, "looks stay where they were")
			require.Equal(t, now, w.To)
			require.Len(t, earlier, c.earlier)
			require.Equal(t, c.dropped, dropped)
		})
	}
}
