package routing

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzOriginalsAreValidOrRefused(f *testing.F) {
	for _, seed := range []string{
		``, `null`, `[]`, `[{"rule":"a","arms":[-1,-1,-1],"sum":100}]`, `[{"rule":"a","arms":[80,0,-1],"foreign":[20],"sum":400}]`,
		`[{"rule":"a","arms":[2147483647,-1,-1],"foreign":[2147483647],"sum":1}]`, `[{}]`, `[{"arms":[1,2,3,4]}]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := decodeOriginals(text)
		if err != nil {
			return
		}
		for _, o := range all {
			require.True(t, o.valid())
			d := o.restore()
			require.GreaterOrEqual(t, d.sum, int64(0))
		}
		again, err := decodeOriginals(encodeOriginals(all))
		require.NoError(t, err)
		require.Equal(t, encodeOriginals(all), encodeOriginals(again))
	})
}

func FuzzMarksAreValidOrRefused(f *testing.F) {
	for _, seed := range []string{``, `null`, `{}`, `{"rollout":"a","serial":3,"added":{"v2":{"a":"b"}},"at":"2030-01-02T03:04:05Z"}`, `{"up":true}`, `{"serial":-1}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := decodeMark(text)
		if err != nil {
			return
		}
		again, err := decodeMark(m.String())
		require.NoError(t, err)
		require.Equal(t, m.String(), again.String())
	})
}
