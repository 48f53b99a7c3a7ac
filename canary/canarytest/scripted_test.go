package canarytest_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/analysis"
	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/canarytest"
)

var errBoom = errors.New("boom")

func TestAJudgeFollowsItsScript(t *testing.T) {
	judge := &canarytest.Judge{Script: []canarytest.Ruling{
		{Verdict: analysis.Pass, Reason: "fine"}, {Err: errBoom}, {Verdict: analysis.Fail, Reason: "bad"},
	}}
	var _ analysis.Analyzer = judge
	got := func(step string) (analysis.Result, error) {
		return judge.Analyze(t.Context(), analysis.Request{Step: step})
	}
	r, err := got("a")
	require.NoError(t, err)
	require.Equal(t, analysis.Result{Verdict: analysis.Pass, Reason: "fine"}, r)
	r, err = got("b")
	require.ErrorIs(t, err, errBoom)
	require.Zero(t, r)
	for range 2 {
		r, err = got("c")
		require.NoError(t, err)
		require.Equal(t, analysis.Fail, r.Verdict, "the last ruling is repeated")
	}
	require.Len(t, judge.Asked(), 4)
	require.Equal(t, "b", judge.Asked()[1].Step)

	r, err = new(canarytest.Judge).Analyze(t.Context(), analysis.Request{})
	require.NoError(t, err)
	require.Equal(t, analysis.Pass, r.Verdict)
	_, err = judge.Analyze(ended(), analysis.Request{})
	require.ErrorIs(t, err, context.Canceled)
}

// ended returns a context that has ended.
func ended() context.Context {
	ctx, end := context.WithCancel(context.Background())
	end()
	return ctx
}

func TestTheRouterKeepsTheContract(t *testing.T) {
	require.NoError(t, canarytest.TestRouter(t.Context(), func(context.Context) (canary.Router, canary.Router, error) {
		r := new(canarytest.Router)
		return r, r, nil
	}))
}

func TestARouterSwapsByComparing(t *testing.T) {
	r := new(canarytest.Router)
	var _ canary.Router = r
	first, err := r.Read(t.Context())
	require.NoError(t, err)
	require.Zero(t, first.Traffic)
	require.Zero(t, first.State)
	traffic, state := canary.Traffic{Canary: 5 * canary.Percent}, canary.State{Serial: 1}
	require.NoError(t, r.Write(t.Context(), first, traffic, state))
	require.ErrorIs(t, r.Write(t.Context(), first, traffic, state), canary.ErrConflict)
	require.ErrorIs(t, r.Write(t.Context(), canary.Reading{}, traffic, state), canary.ErrConflict)
	second, err := r.Read(t.Context())
	require.NoError(t, err)
	require.Equal(t, traffic, second.Traffic)
	require.Equal(t, state, second.State)
	require.ErrorIs(t, r.Write(t.Context(), second, canary.Traffic{Canary: -1}, state), canary.ErrRefused)
	require.ErrorIs(t, r.Write(t.Context(), second, traffic, canary.State{Place: canary.Place{Phase: 99}}), canary.ErrRefused)
	require.Equal(t, 1, r.Writes())

	r.Meddle(canary.Traffic{})
	require.ErrorIs(t, r.Write(t.Context(), second, traffic, state), canary.ErrConflict)
	r.Corrupt("{")
	bad, err := r.Read(t.Context())
	require.ErrorIs(t, err, canary.ErrBadState)
	require.NoError(t, r.Write(t.Context(), bad, traffic, state), "so that the state can be replaced")
	r.Corrupt("")
	third, err := r.Read(t.Context())
	require.NoError(t, err)
	require.Zero(t, third.State)
}

func TestARouterFailsOnOrder(t *testing.T) {
	boom := func() error { return errBoom }
	ctx := t.Context()
	_, err := (&canarytest.Router{BeforeRead: boom}).Read(ctx)
	require.ErrorIs(t, err, errBoom)
	_, err = new(canarytest.Router).Read(ended())
	require.ErrorIs(t, err, context.Canceled)

	before, after := &canarytest.Router{BeforeWrite: boom}, &canarytest.Router{AfterWrite: boom}
	for r, writes := range map[*canarytest.Router]int{before: 0, after: 1} {
		read, err := r.Read(ctx)
		require.NoError(t, err)
		require.ErrorIs(t, r.Write(ctx, read, canary.Traffic{}, canary.State{}), errBoom)
		require.Equal(t, writes, r.Writes())
	}
}

func TestAWorkloadFollowsItsScripts(t *testing.T) {
	w := &canarytest.Workload{
		ReadyScript:   []canary.Answer{canary.Wait.Because("starting"), {Reply: canary.Yes}},
		PromoteScript: []canary.Answer{canary.Wait.Because("half way"), canary.No.Because("stuck")},
		RestoreScript: []canary.Answer{canary.Wait.Because("going back"), {Reply: canary.Yes}},
	}
	var _ canary.Workload = w
	ctx := t.Context()
	replies := func(f func() (canary.Answer, error)) (all []canary.Reply) {
		for range 3 {
			a, err := f()
			require.NoError(t, err)
			all = append(all, a.Reply)
		}
		return all
	}
	require.Equal(t, []canary.Reply{canary.Wait, canary.Yes, canary.Yes}, replies(func() (canary.Answer, error) { return w.Ready(ctx, canary.Question{Traffic: canary.Traffic{}}) }))
	require.Equal(t, []canary.Reply{canary.Wait, canary.No, canary.No}, replies(func() (canary.Answer, error) { return w.Promote(ctx, canary.Question{Fence: canary.Fence{Serial: 5}}) }))
	require.True(t, w.Promoted())
	_, err := w.Restore(ctx, canary.Question{Fence: canary.Fence{Serial: 4}})
	require.ErrorIs(t, err, canary.ErrConflict, "a driver that overslept is refused")
	var fenced canary.FencedError
	require.ErrorAs(t, err, &fenced)
	require.EqualValues(t, 5, fenced.Serial)
	require.Equal(t, []canary.Reply{canary.Wait, canary.Yes, canary.Yes}, replies(func() (canary.Answer, error) { return w.Restore(ctx, canary.Question{Fence: canary.Fence{Serial: 6}}) }))
	require.False(t, w.Promoted())
	_, err = w.Promote(ctx, canary.Question{Fence: canary.Fence{Serial: 5}})
	require.ErrorIs(t, err, canary.ErrConflict)
	require.Equal(t, 3, w.Calls("Promote"))
}

func TestAWorkloadRestoresWhatTheSameRolloutPromotedOnly(t *testing.T) {
	w := new(canarytest.Workload)
	for i, c := range []struct {
		do       func(context.Context, canary.Question) (canary.Answer, error)
		rollout  string
		promoted bool
	}{{w.Promote, "a", true}, {w.Restore, "b", true}, {w.Promote, "b", true}, {w.Restore, "b", false}} {
		a, err := c.do(t.Context(), canary.Question{Fence: canary.Fence{Rollout: c.rollout, Serial: int64(i + 1)}})
		require.NoError(t, err)
		require.Equal(t, canary.Yes, a.Reply)
		require.Equal(t, c.promoted, w.Promoted())
	}
}

func TestAWorkloadFailsOnOrder(t *testing.T) {
	w := &canarytest.Workload{Before: func(method string) error {
		if method == "Promote" {
			return errBoom
		}
		return nil
	}}
	_, err := w.Promote(t.Context(), canary.Question{Fence: canary.Fence{Serial: 1}})
	require.ErrorIs(t, err, errBoom)
	require.False(t, w.Promoted())
	a, err := w.Restore(t.Context(), canary.Question{Fence: canary.Fence{Serial: 1}})
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
	_, err = w.Ready(ended(), canary.Question{})
	require.ErrorIs(t, err, context.Canceled)
	w = new(canarytest.Workload)
	a, err = w.Promote(t.Context(), canary.Question{Fence: canary.Fence{Serial: 1}})
	require.NoError(t, err)
	require.Equal(t, canary.Yes, a.Reply)
}
