package canary

import (
	"context"
	"slices"
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
