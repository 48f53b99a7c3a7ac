package workload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/canary"
)

// Scaling has the rollout scale the versions: the canary before it gets a share, by what
// Config.Capacity needs for that, and stable so that it keeps what it had when the rollout
// began, until the bake time is over. Nothing is scaled down before everything is over, and then
// each [Floor] is given back what it was. The zero value scales nothing.
type Scaling struct {
	// Stable and Canary are the Floors of the two Deployments; nil if the rollout is not to
	// scale one.
	Stable, Canary Floor
	// Keep is how long stable keeps its Floor after it got its traffic back: until its
	// autoscaler has seen the traffic. Zero is five minutes.
	Keep time.Duration
}

// floors returns those that are to be scaled.
func (s Scaling) floors() (all []Floor) {
	for _, f := range []Floor{s.Stable, s.Canary} {
		if f != nil {
			all = append(all, f)
		}
	}
	return all
}

var _ canary.Scaler = (*Deployments)(nil)

// Scales implements [canary.Scaler]: it reports whether there is a Config.Scaling.
func (d *Deployments) Scales() bool { return slices.ContainsFunc(d.config.Scaling.floors(), scales) }

// scales reports whether the rollout scales what has the Floor.
func scales(f Floor) bool {
	_, kept := f.(readOnly)
	return f != nil && !kept
}

// claim has each Floor remember what it is, before anything is scaled.
func (d *Deployments) claim(ctx context.Context, q canary.Question) error {
	for _, f := range d.config.Scaling.floors() {
		if _, err := f.Raise(ctx, q, 0); err != nil {
			return err
		}
	}
	return nil
}

// Release implements [canary.Scaler]: it gives back what each Floor was. One that cannot be given
// back keeps nothing from the other.
func (d *Deployments) Release(ctx context.Context, q canary.Question) (canary.Answer, error) {
	s := d.config.Scaling
	release := func(f Floor, serves bool) error {
		if f == nil {
			return nil
		}
		ctx, cancel := context.WithTimeoutCause(ctx, listing, fmt.Errorf("no answer within %v", listing))
		defer cancel()
		return safely(ctx, "a Floor", func() error { return f.Release(ctx, q, serves) })
	}
	err := release(s.Canary, q.Traffic.Canary > 0)
	if until := d.keeps(ctx, q); time.Now().Before(until) {
		if err != nil {
			return canary.Answer{}, err
		}
		return canary.Wait.Because("stable keeps its replicas until its autoscaler has seen the traffic, at %s", until.Format(time.TimeOnly)), nil
	}
	if err = errors.Join(err, release(s.Stable, q.Traffic.Canary < canary.Full)); err != nil {
		return canary.Answer{}, err
	}
	return canary.Answer{Reply: canary.Yes}, nil
}

// keeps returns until when stable keeps its Floor; zero if it was not raised, or does not serve.
func (d *Deployments) keeps(ctx context.Context, q canary.Question) (until time.Time) {
	ref, err := reference(q.Pin)
	if err != nil || !scales(d.config.Scaling.Stable) || q.Traffic.Canary == canary.Full {
		return until
	}
	if err := safely(ctx, "a Floor", func() error {
		least, _, err := d.config.Scaling.Stable.Bounds(ctx)
		if err == nil && least >= ref.replicas() {
			until = q.Shifted.Add(cmp.Or(d.config.Scaling.Keep, 5*time.Minute))
		}
		return err
	}); err != nil {
		return time.Time{} // Release tells
	}
	return until
}

// scale raises the Floors for the traffic that comes, and returns the Answer about the canary's
// replicas with what is in the way. The share is given when both have what they need.
func (d *Deployments) scale(ctx context.Context, q canary.Question, ref capacity, a canary.Answer) (canary.Answer, error) {
	s, all := d.config.Scaling, ref.replicas()
	if s.Canary != nil {
		raised, err := s.Canary.Raise(ctx, q, d.config.need(q.Traffic, all))
		if err != nil || raised.Reply != canary.Yes && a.Reply != canary.No {
			return canary.Wait.Because("%s; %s", a.Reason, raised.Reason), err
		}
	}
	if s.Stable != nil && q.Traffic.Canary > 0 {
		raised, err := s.Stable.Raise(ctx, q, all)
		if err != nil || raised.Reply != canary.Yes && a.Reply == canary.Yes {
			return canary.Wait.Because("stable has to keep its replicas: %s", raised.Reason), err
		}
	}
	return a, nil
}

// compare looks whether both versions have the replicas for the traffic, and raises the Floor of
// one that has not. What is in the way is a Notice: traffic does not wait for it, and no longer
// than for the pods.
func (d *Deployments) compare(ctx context.Context, q canary.Question, stable, ofCanary int32, seen *canary.Inspection) error {
	before, err := reference(q.Pin)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, listing, fmt.Errorf("no answer within %v", listing))
	defer cancel()
	ref := before
	if seen.Dead == "" { // or users leave it first
		ref, err = d.follow(ctx, q, before)
	}
	notes := []error{err}
	if ref != before {
		seen.Capacity = ref.String()
	}
	seen.Shortfall = ref.shortfall(stable)
	if copies := q.Traffic.Canary == 0 && (q.Traffic.Mirror > 0 || q.Traffic.Cohorts != ""); copies || ref.replicas() == 0 {
		return nil
	}
	if s := d.config.Scaling.Stable; s != nil && (seen.Shortfall > 0 || ref != before) {
		notes = append(notes, raise(ctx, s, q, ref.replicas()))
	}
	if seen.Dead == "" && q.Traffic.Canary > 0 {
		notes = append(notes, d.keep(ctx, q, ofCanary, ref))
	}
	if err := errors.Join(notes...); err != nil {
		seen.Notice = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return nil
}

// keep returns what the canary lacks, and raises its Floor.
func (d *Deployments) keep(ctx context.Context, q canary.Question, has int32, ref capacity) (err error) {
	need := has
	if err := safely(ctx, "Config.Capacity", func() error { need = d.config.need(q.Traffic, ref.replicas()); return nil }); err != nil || has >= need {
		return err
	}
	err = fmt.Errorf("canary %s: %d replicas are ready, and %v of the traffic needs %d, by %s", d.config.Canary, has, q.Traffic.Canary, need, ref.words(d.config.Stable))
	if s := d.config.Scaling.Canary; s != nil {
		err = errors.Join(err, raise(ctx, s, q, need))
	}
	return err
}

// raise raises a Floor, and returns what is in the way as an error.
func raise(ctx context.Context, f Floor, q canary.Question, n int32) error {
	return safely(ctx, "a Floor", func() error {
		a, err := f.Raise(ctx, q, n)
		if err == nil && a.Reply != canary.Yes {
			err = errors.New(a.Reason)
		}
		return err
	})
}

// safely calls what may be the user's. A panic is an error, so that it hides nothing else that is
// seen, and an error says so if ctx has ended by its limit.
func safely(ctx context.Context, what string, call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s panicked: %v", what, p)
		} else if cause := context.Cause(ctx); err != nil && cause != nil && cause != ctx.Err() {
			err = fmt.Errorf("%s: %w: %w", what, cause, err)
		}
	}()
	return call()
}
