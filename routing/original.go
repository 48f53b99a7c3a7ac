package routing

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
)

var errOriginal = errors.New("not a value that Serin writes")

// decodeOriginals reads an [OriginalAnnotation]. It trusts nothing.
func decodeOriginals(text string) ([]original, error) {
	var all []original
	if err := decode(text, &all); err != nil {
		return nil, err
	}
	for i := range all {
		sameRule := func(o original) bool { return o.Rule == all[i].Rule }
		if !all[i].valid() || slices.ContainsFunc(all[:i], sameRule) {
			return nil, errOriginal
		}
	}
	return all, nil
}

func (o *original) valid() bool {
	if !inside(-1, o.Arms[:]...) || !inside(0, o.Foreign...) || !inside(0, o.Sum) {
		return false
	}
	all := o.Sum
	for _, w := range o.Foreign {
		all += w
	}
	if o.Arms[stable] < 0 && (o.Arms[canaryArm] >= 0 || o.Arms[baseline] >= 0 || len(o.Foreign) > 0) {
		return false // only a lone stable has no weight
	}
	return all > 0 && max(o.total(), all) <= math.MaxInt32
}

// inside reports whether all weights are between least and the maximum of an int32.
func inside(least int64, weights ...int64) bool {
	return !slices.ContainsFunc(weights, func(w int64) bool { return w < least || w > math.MaxInt32 })
}

func encodeOriginals(all []original) string {
	b, _ := json.Marshal(all) // strings and integers always have an encoding
	return string(b)
}
