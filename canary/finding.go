package canary

import (
	"context"
	"errors"
	"fmt"
)

// Finding is what a part has to say of a plan before its rollout begins.
type Finding struct {
	// Problem says what is wrong, where, and what would be right.
	Problem string
	// Refuses: the rollout must not begin. Otherwise it is worth knowing.
	Refuses bool
}

// Checker is what a part of a [Config] may be as well: it looks whether the plan
// can be carried out, without changing anything. What it cannot find out is no
// Finding but an error.
type Checker interface {
	Check(ctx context.Context, p Plan) ([]Finding, error)
}

// Check asks every part of the Config that is a [Checker]. The error joins those
// of the parts that could not tell. A rollout that begins is checked as well: it
// does not leave Preparing before nothing refuses.
func (r *Runner) Check(ctx context.Context) ([]Finding, error) {
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
	return all, errors.Join(errs...)
}

// checked is Check as an answer, and an error if a Finding refuses.
func (r *Runner) checked(ctx context.Context) (Answer, error) {
	found, err := r.Check(ctx)
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
