package canary

import (
	"context"
	"slices"

	"github.com/serin-go/serin/canary/phase"
)

// prerequisites are several as one.
type prerequisites []Prerequisite

// ensure ensures each when those before it can be used.
func (s prerequisites) ensure(ctx context.Context, q Question) (Answer, error) {
	for _, one := range s {
		if a, err := one.Ensure(ctx, q); err != nil || a.Reply != Yes {
			return a, err
		}
	}
	return Answer{Reply: Yes}, nil
}

// cleanup cleans up each when those after it are gone.
func (s prerequisites) cleanup(ctx context.Context, q Question) (Answer, error) {
	for _, one := range slices.Backward(s) {
		if a, err := one.Cleanup(ctx, q); err != nil || a.Reply != Yes {
			return a, err
		}
	}
	return Answer{Reply: Yes}, nil
}

// cleansUp reports whether something is left when the rollout ends: a Prerequisite that
// nothing needs any more, or what was scaled.
func (t *turn) cleansUp() bool {
	return t.o.Scaler || t.o.Prerequisite && !t.s.canaryServes()
}

// canaryServes reports whether the canary keeps the traffic when the rollout is over.
func (s *State) canaryServes() bool { return s.End == Stay && s.Outcome == phase.Promoted }
