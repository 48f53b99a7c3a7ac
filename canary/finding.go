package canary

import (
	"context"
	"errors"
	"fmt"

	"github.com/serin-go/serin/analysis"
)

// Finding is a problem that a preflight check has found.
type Finding struct {
	// Problem says what is wrong, where, and what would be right.
	Problem string
	// Refuses: the rollout must not begin. If it is false, the Finding is a warning.
	Refuses bool
}

// Checker is an optional interface of a part of a [Config]: a preflight check. Check
// looks whether the plan can be carried out and changes nothing. It returns an error for
// what it could not find out.
type Checker interface {
	Check(ctx context.Context, p Plan) ([]Finding, error)
}

// Check is the preflight check: it calls each part of the Config that is a [Checker], and
// changes nothing. The Router of package routing renders all steps, Subsets compares the
// subsets, and workload.Deployments looks for the Deployments. The error joins those of
// parts that could not tell. A rollout does the same in its phase Preparing, and does not
// leave that phase while a Finding refuses.
//
// Check also warns of steps that are unlikely to get their verdict with the traffic of the
// last hour, if the Analyzer is an [analysis.Forecaster]. A step whose deadline is over before
// the judge can have seen an outage refuses. Preparing does not count the traffic.
func (r *Runner) Check(ctx context.Context) ([]Finding, error) {
	return r.check(ctx, r.lastHour())
}

// check is Check with the load; the zero load asks no metric store.
func (r *Runner) check(ctx context.Context, load analysis.Load) ([]Finding, error) {
	c := &r.c
	var all []Finding
	var errs []error
	for _, part := range c.parts() {
		checker, ok := part.part.(Checker)
		if !ok {
			continue
		}
		var found []Finding
		err := r.guard(ctx, func(ctx context.Context) (err error) {
			found, err = checker.Check(ctx, c.Plan)
			return err
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("canary: %s: %w", part.name, err))
		}
		for _, f := range found {
			f.Problem = part.name + ": " + f.Problem
			all = append(all, f)
		}
	}
	found, err := r.foresee(ctx, load)
	return append(all, found...), errors.Join(append(errs, err)...)
}

// checked is Check as an answer, and an error if a Finding refuses.
func (r *Runner) checked(ctx context.Context) (Answer, error) {
	found, err := r.check(ctx, analysis.Load{})
	var errs []error
	for _, f := range found {
		if f.Refuses {
			errs = append(errs, errors.New(f.Problem))
		}
	}
	if len(errs) > 0 {
		return Answer{}, fmt.Errorf("canary: plan %q: %w: %w", r.c.Plan.Name(), ErrRefused, errors.Join(errs...))
	}
	return Answer{Reply: Yes}, err
}
