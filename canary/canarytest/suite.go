package canarytest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/serin-go/serin/canary"
	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// Open returns two Routers onto one and the same object, which nobody else
// uses, with all traffic on stable, a canary that can take any share and be
// mirrored to, and no State. They stand for two processes; a Router that is
// safe for concurrent use may be returned twice.
type Open func(ctx context.Context) (one, two canary.Router, err error)

// TestRouter checks that Routers keep the contract of canary.Router, and returns
// every way in which they do not; nil if there is none. It calls open once for
// each check.
func TestRouter(ctx context.Context, open Open) error {
	var errs []error
	for _, c := range checks {
		if err := run(ctx, open, c.check); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
	}
	return errors.Join(errs...)
}

var checks = []struct {
	name  string
	check func(context.Context, pair) error
}{
	{"a new object has no state and no canary traffic", startsEmpty},
	{"every share comes back exactly", keepsTraffic},
	{"the state comes back exactly", keepsState},
	{"a state can change without the traffic, and the traffic without the state", changesOne},
	{"a write from an old reading changes nothing and is a conflict", refusesStale},
	{"of writers at once from one reading exactly one gets through", oneWins},
	{"compare-and-swap by many loses no update", losesNothing},
	{"all traffic can return to stable", returns},
	{"a context that has ended is an error and changes nothing", heedsContext},
}

type pair struct{ one, two canary.Router }

func run(ctx context.Context, open Open, check func(context.Context, pair) error) error {
	one, two, err := open(ctx)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	return check(ctx, pair{one, two})
}

// state is a State with every kind of field in it, different for every n.
func state(n int) canary.State {
	at := time.Date(2026, 1, 2, 3, 4, n%60, 123456789, time.UTC)
	s := canary.State{
		Serial: int64(n),
		Rollout: canary.Rollout{
			Plan: "0123456789abcdef", Name: "reviews \"v2\" <é>", Revision: "2", Owner: "suite", End: canary.Discard, Began: at, Object: "uid",
			Pin: canary.Pin{Version: "v", Capacity: "c", Scaling: "s"},
		},
		Place: canary.Place{Phase: phase.Progressing, Step: n, Traffic: canary.Traffic{Canary: 5 * canary.Percent}},
		History: canary.History{
			Reason: "because", Drifts: 1, Drifting: true, Recalled: true, Revisions: []string{"1"},
			Trace: []canary.Transition{{At: at, Phase: phase.Progressing, Step: n, Reason: "c"}},
		},
		Signature: "signed",
	}
	s.Retreat.Cause, s.Retreat.Since = cause.NoPods, at
	s.Entered, s.Shifted, s.Verified, s.Paused, s.PausedFor = at, at, at, at, time.Duration(n)
	s.LookBy, s.Blind, s.Failing, s.Promotion, s.Baked = at, at, at, at, at
	s.Command = canary.Command{Order: order.Pause, By: "me", At: at, Why: "lunch"}
	s.Approved, s.Skipped, s.PromoteNow = []string{"gate"}, true, true
	s.Dropped, s.Carry, s.Frozen = 1, []byte("carry"), []byte{0}
	return s
}

func startsEmpty(ctx context.Context, p pair) error {
	return expect(ctx, p.one, canary.Traffic{}, canary.State{})
}

func keepsTraffic(ctx context.Context, p pair) error {
	shares := []canary.Weight{0, 1, 7, 57 * canary.Percent / 100, canary.Percent, 333_333, canary.Full / 2, canary.Full - 1, canary.Full}
	for i, w := range shares {
		for _, t := range []canary.Traffic{{Canary: w}, {Mirror: w}, {Canary: w, Mirror: shares[len(shares)-1-i]}} {
			if err := passOn(ctx, p.one, p.two, t, state(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func keepsState(ctx context.Context, p pair) error {
	for n := range 3 {
		if err := passOn(ctx, p.one, p.two, canary.Traffic{Canary: canary.Percent}, state(n)); err != nil {
			return err
		}
	}
	return nil
}

func changesOne(ctx context.Context, p pair) error {
	for _, w := range []struct {
		traffic canary.Traffic
		state   int
	}{{canary.Traffic{Canary: canary.Percent}, 1}, {canary.Traffic{Canary: canary.Percent}, 2}, {canary.Traffic{Canary: canary.Full}, 2}} {
		if err := passOn(ctx, p.one, p.one, w.traffic, state(w.state)); err != nil {
			return err
		}
	}
	return nil
}

func refusesStale(ctx context.Context, p pair) error {
	old, err := p.one.Read(ctx)
	if err != nil {
		return err
	}
	won := canary.Traffic{Canary: 10 * canary.Percent}
	if err := rewrite(ctx, p.two, won, state(1)); err != nil {
		return err
	}
	err = p.one.Write(ctx, old, canary.Traffic{Canary: canary.Full}, state(2))
	if !errors.Is(err, canary.ErrConflict) {
		return fmt.Errorf("answered %v, want ErrConflict", err)
	}
	return expect(ctx, p.two, won, state(1))
}

func oneWins(ctx context.Context, p pair) error {
	reading, err := p.one.Read(ctx)
	if err != nil {
		return err
	}
	const writers = 8
	errs := make([]error, writers)
	var group sync.WaitGroup
	for i := range writers {
		group.Go(func() {
			errs[i] = p.one.Write(ctx, reading, canary.Traffic{Canary: canary.Weight(i+1) * canary.Percent}, state(i))
		})
	}
	group.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			return fmt.Errorf("writers %d and %d both got through", winner, i)
		case err == nil:
			winner = i
		case !errors.Is(err, canary.ErrConflict):
			return fmt.Errorf("a loser was answered %w, want ErrConflict", err)
		}
	}
	if winner < 0 {
		return errors.New("nobody got through")
	}
	return expect(ctx, p.two, canary.Traffic{Canary: canary.Weight(winner+1) * canary.Percent}, state(winner))
}

func losesNothing(ctx context.Context, p pair) error {
	const writers, each = 4, 5
	errs := make([]error, writers)
	var group sync.WaitGroup
	for i := range writers {
		router := p.one
		if i%2 == 1 {
			router = p.two
		}
		group.Go(func() {
			for done := 0; done < each && errs[i] == nil; {
				switch err := increment(ctx, router); {
				case err == nil:
					done++
				case !errors.Is(err, canary.ErrConflict):
					errs[i] = err
				}
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	r, err := p.one.Read(ctx)
	if err == nil && r.State.Step != writers*each {
		err = fmt.Errorf("%d increments left a count of %d", writers*each, r.State.Step)
	}
	return err
}

func increment(ctx context.Context, r canary.Router) error {
	reading, err := r.Read(ctx)
	if err != nil {
		return err
	}
	return r.Write(ctx, reading, canary.Traffic{Canary: canary.Percent}, state(reading.State.Step+1))
}

func returns(ctx context.Context, p pair) error {
	for _, t := range []canary.Traffic{{Canary: canary.Full}, {}, {Mirror: canary.Full}, {}} {
		if err := passOn(ctx, p.one, p.two, t, state(1)); err != nil {
			return err
		}
	}
	return nil
}

func heedsContext(ctx context.Context, p pair) error {
	reading, err := p.one.Read(ctx)
	if err != nil {
		return err
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := p.one.Read(ended); err == nil {
		return errors.New("no error came of Read")
	}
	if err := p.one.Write(ended, reading, canary.Traffic{Canary: canary.Full}, state(1)); err == nil {
		return errors.New("no error came of Write")
	}
	return expect(ctx, p.two, canary.Traffic{}, canary.State{})
}
