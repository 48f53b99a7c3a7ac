package fake_test

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/verify"
	"github.com/serin-go/serin/metrics"
)

// badClock is the Router of a driver whose clock is behind. All clocks of a bubble are one,
// so the times in the States that the driver reads are moved ahead instead, and those in the
// States that it writes are moved back.
type badClock struct {
	canary.Router
	behind time.Duration
}

func (c badClock) Read(ctx context.Context) (canary.Reading, error) {
	r, err := c.Router.Read(ctx)
	if err == nil {
		r.State, err = moved(r.State, c.behind)
	}
	return r, err
}

func (c badClock) Write(ctx context.Context, r canary.Reading, t canary.Traffic, s canary.State) error {
	s, err := moved(s, -c.behind)
	if err != nil {
		return err
	}
	return c.Router.Write(ctx, r, t, s)
}

// moved moves all times of a State, except when the rollout began: that is its name.
func moved(s canary.State, by time.Duration) (canary.State, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return s, err
	}
	if data, err = json.Marshal(move(tree, by)); err != nil {
		return s, err
	}
	var other canary.State
	err = json.Unmarshal(data, &other)
	return other, err
}

func move(tree any, by time.Duration) any {
	switch v := tree.(type) {
	case map[string]any:
		for k, field := range v {
			switch text, _ := field.(string); k {
			case "began":
			case "blocks":
				v[k] = moveBlocks(text, by)
			default:
				v[k] = move(field, by)
			}
		}
	case []any:
		for i := range v {
			v[i] = move(v[i], by)
		}
	case string:
		if at, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return at.Add(by).UTC().Format(time.RFC3339Nano)
		}
	}
	return tree
}

// moveBlocks moves the first block, whose first number is when it began. The others follow it.
func moveBlocks(text string, by time.Duration) string {
	first, rest, _ := strings.Cut(text, ".")
	if from, err := strconv.ParseInt(first, 36, 64); err == nil {
		text = strconv.FormatInt(from+by.Milliseconds(), 36) + "." + rest
	}
	return text
}

// lateJudge asks about the times that a clock behind shows.
type lateJudge struct {
	badLooker
	behind time.Duration
}

func (j lateJudge) Analyze(ctx context.Context, r analysis.Request) (analysis.Result, error) {
	r.Earlier = slices.Clone(r.Earlier)
	for i := range r.Earlier {
		r.Earlier[i].Window = j.shown(r.Earlier[i].Window)
	}
	r.Window = j.shown(r.Window)
	for _, at := range []*time.Time{&r.StepBegan, &r.PromotionBegan} { // Began is never moved
		if !at.IsZero() {
			*at = at.Add(-j.behind)
		}
	}
	return j.badLooker.Analyze(ctx, r)
}

func (j lateJudge) shown(w metrics.Window) metrics.Window {
	return metrics.Window{From: w.From.Add(-j.behind), To: w.To.Add(-j.behind)}
}

// lateVerifier is told the times that a clock behind shows.
type lateVerifier struct {
	verify.Metrics
	behind time.Duration
}

func (v lateVerifier) Verify(ctx context.Context, t canary.Traffic, since time.Time) (canary.Answer, error) {
	if !since.IsZero() {
		since = since.Add(-v.behind)
	}
	return v.Metrics.Verify(ctx, t, since)
}
