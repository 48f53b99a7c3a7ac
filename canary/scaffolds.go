package canary

import (
	"context"
	"slices"
)

// Scaffolds are several as one. Each is put up when those before it can be used,
// and taken down when those behind it are gone.
type Scaffolds []Scaffold

var _ Scaffold = Scaffolds(nil)

// Raise implements [Scaffold].
func (s Scaffolds) Raise(ctx context.Context, t Traffic, f Fence) (Answer, error) {
	for _, one := range s {
		if a, err := one.Raise(ctx, t, f); err != nil || a.Reply != Yes {
			return a, err
		}
	}
	return Answer{Reply: Yes}, nil
}

// Remove implements [Scaffold].
func (s Scaffolds) Remove(ctx context.Context, f Fence) (Answer, error) {
	for _, one := range slices.Backward(s) {
		if a, err := one.Remove(ctx, f); err != nil || a.Reply != Yes {
			return a, err
		}
	}
	return Answer{Reply: Yes}, nil
}
