package evidence_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
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
	text, err := os.ReadFile("testdata/judge.json")
	require.NoError(t, err)
	var file struct{ Vectors []vector }
	require.NoError(t, json.Unmarshal(text, &file))
	require.NotEmpty(t, file.Vectors)
	kinds := map[string]compute{}
	for _, some := range []map[string]compute{evidenceKinds, displayKinds, peerKinds} {
		maps.Copy(kinds, some)
	}
	for _, v := range file.Vectors {
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
		require.LessOrEqual(t, math.Abs(want-is), tolerance*scale+1e-300, "%s: want %v, got %v", name, want, is)
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
