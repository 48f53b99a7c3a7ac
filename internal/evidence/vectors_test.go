package evidence_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// vector is one reference value: made with 60 digits, exact rationals or full
// enumeration, as How says.
type vector struct {
	ID     string          `json:"id"`
	Kind   string          `json:"kind"`
	Input  json.RawMessage `json:"input"`
	Expect map[string]any  `json:"expect"`
	RelTol float64         `json:"rel_tol"`
	How    string          `json:"how"`
	Note   string          `json:"note"`
}

// compute returns what a vector expects, by the same names, from its input.
type compute func(t *testing.T, v vector) map[string]any

// TestVectors reads reference values for every formula. Another file of the same
// form may take its place.
func TestVectors(t *testing.T) {
	kinds := map[string]compute{}
	for _, some := range []map[string]compute{evidenceKinds, displayKinds, peerKinds, secondKinds} {
		maps.Copy(kinds, some)
	}
	for _, v := range append(vectorsOf(t, "testdata/judge.json"), vectorsOf(t, "testdata/judge2.json")...) {
		if v.ID == "split-recommended/8-looks" {
			continue // judge2.json replaces it
		}
		t.Run(v.ID, func(t *testing.T) {
			compute, ok := kinds[v.Kind]
			require.True(t, ok, "kind %q is not one of %v", v.Kind, slices.Sorted(maps.Keys(kinds)))
			got := compute(t, v)
			for name, want := range v.Expect {
				equal(t, name, want, got[name], v.RelTol)
			}
		})
	}
}

func vectorsOf(t *testing.T, file string) []vector {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var all struct{ Vectors []vector }
	require.NoError(t, json.Unmarshal(text, &all))
	require.NotEmpty(t, all.Vectors)
	return all.Vectors
}

// equal compares numbers, which may be written as "NaN" or "+Inf", and lists of
// them, by a relative tolerance.
func equal(t *testing.T, name string, want, got any, tolerance float64) {
	switch want := want.(type) {
	case []any:
		list, ok := got.([]float64)
		require.True(t, ok, "%s: %v", name, got)
		require.Len(t, list, len(want), name)
		for i := range want {
			equal(t, fmt.Sprintf("%s[%d]", name, i), want[i], list[i], tolerance)
		}
	case string:
		require.Equal(t, want, fmt.Sprint(got), name)
	case float64:
		is, ok := got.(float64)
		require.True(t, ok, "%s: %v", name, got)
		scale := max(math.Abs(want), math.Abs(is))
		least := 1e-300
		if strings.HasPrefix(name, "log_") { // a sum that is 1 has its last bits in the logarithm
			least = 1e-15
		}
		require.LessOrEqual(t, math.Abs(want-is), tolerance*scale+least, "%s: want %v, got %v", name, want, is)
	default:
		require.Equal(t, want, got, name)
	}
}

// input decodes the input of a vector.
func input[T any](t *testing.T, v vector) T {
	var in T
	require.NoError(t, json.Unmarshal(v.Input, &in), v.ID)
	return in
}
