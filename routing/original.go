package routing

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
)

// maxOriginal bounds the annotation that is read, in bytes.
const maxOriginal = 64 << 10

var errOriginal = errors.New("not what Serin writes")

// decodeOriginals reads the annotation OriginalAnnotation. It trusts nothing.
func decodeOriginals(text string) ([]original, error) {
	if len(text) > maxOriginal {
		return nil, errOriginal
	}
	var all []original
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
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
	return (o.Arms[stable] >= 0 || alone) && o.Sum >= 0 && o.Sum <= math.MaxInt32 && o.total()+all > 0
}

func encodeOriginals(all []original) string {
	b, _ := json.Marshal(all) // strings and integers always have an encoding
	return string(b)
}
