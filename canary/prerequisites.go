package canary

import (
	"context"
	"slices"
)

// Prerequisites are several as one. Each is put up when those before it can be used,
// and taken down when those behind it are gone.
type Prerequisites []Prerequisite

var _ Prerequisite = Prerequisites(nil)

// Ensure implements [Prerequisite].
func (s Prerequisites) Ensure(ctx context.Context, q Question) (Answer, error) {
	for _, one := range s {
		if a, err := one.Ensure(ctx, q); err != nil || a.Reply != Yes {
			return a, err
		}
	}
	return Answer{Reply: Yes}, nil
}

// Cleanup implements [Prerequisite].
func (s Prerequisites) Cleanup(ctx context.Context, q Question) (Answer, error) {
	for _, one := range slices.Backward(s) {
		if a, err := one.Cleanup(ctx, q); err != nil || a.Reply != Yes {
			return a, err
		}
	}
	return Answer{Reply: Yes}, nil
}
