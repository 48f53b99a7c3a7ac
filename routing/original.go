package routing

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
)

var errOriginal = errors.New("not what Serin writes")

// decodeOriginals reads the annotation OriginalAnnotation. It trusts nothing.
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
	all := o.Sum
	for _, w := range o.Arms {
		if w < -1 || w > math.MaxInt32 {
			return false
		}
	}
	for _, w := range o.Foreign {
		if w < 0 || w > math.MaxInt32 {
			return false
		}
		all += w
	}
	// Stable without a weight was alone.
	alone := o.Arms[canaryArm] == -1 && o.Arms[baseline] == -1 && len(o.Foreign) == 0
	return (o.Arms[stable] >= 0 || alone) && o.Sum >= 0 && all > 0 && max(o.total(), all) <= math.MaxInt32
}

func encodeOriginals(all []original) string {
	b, _ := json.Marshal(all) // strings and integers always have an encoding
	return string(b)
}
