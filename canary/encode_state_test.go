package canary

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// states draws States with every field that there is.
func states() *rapid.Generator[State] {
	odd := rapid.OneOf(
		rapid.String(), rapid.StringN(0, 20, -1), rapid.StringMatching(`[ -~]{0,20}`),
		rapid.SampledFrom([]string{"", `"`, `\`, `\\"`, "a\x00\x1f\x7fb", "\xff\xc3", "<a>&b", "\u2028\u2029", "ü\n→", `{"version":1}`, `,"name":`}),
	)
	zones := rapid.SampledFrom([]*time.Location{time.UTC, time.Local, time.FixedZone("", 5400), time.FixedZone("w", -9*3600)})
	moments := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(0, 9e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).In(zones.Draw(t, "zone"))
	})
	blocks := rapid.Custom(func(t *rapid.T) Blocks {
		var all Blocks
		at := time.UnixMilli(rapid.Int64Range(0, 9e12).Draw(t, "first")).UTC()
		for range rapid.IntRange(0, maxBlocks+5).Draw(t, "blocks") {
			from := at.Add(time.Duration(rapid.IntRange(0, 1e8).Draw(t, "gap")) * time.Millisecond)
			at = from.Add(time.Duration(rapid.IntRange(1, 1e8).Draw(t, "length")) * time.Millisecond)
			share := Weight(rapid.Int64Range(0, int64(Full)).Draw(t, "share"))
			all = all.add(Block{from, at, Traffic{Canary: share, Baseline: Full - share, Mirror: share}})
		}
		return all
	})
	return rapid.MakeCustom[State](rapid.MakeConfig{Types: map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[string]():        odd.AsAny(),
		reflect.TypeFor[time.Time]():     moments.AsAny(),
		reflect.TypeFor[int]():           rapid.IntMin(0).AsAny(),
		reflect.TypeFor[int64]():         rapid.Int64Min(0).AsAny(),
		reflect.TypeFor[time.Duration](): rapid.Map(rapid.Int64Min(0), func(n int64) time.Duration { return time.Duration(n) }).AsAny(),
		reflect.TypeFor[Blocks]():        blocks.AsAny(),
		reflect.TypeFor[Weight]():        rapid.Map(rapid.Int64Range(0, int64(Full)), func(n int64) Weight { return Weight(n) }).AsAny(),
		reflect.TypeFor[Phase]():         rapid.Map(rapid.IntRange(0, int(RolledBack)), func(n int) Phase { return Phase(n) }).AsAny(),
		reflect.TypeFor[Order]():         rapid.Map(rapid.IntRange(0, int(Retry)), func(n int) Order { return Order(n) }).AsAny(),
	}})
}

func TestWhatIsWrittenIsReadAsEncodingJSONReadsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data, err := json.Marshal(states().Draw(t, "state"))
		require.NoError(t, err)
		want, err := decodeState(data)
		require.NoError(t, err)
		got, ok := readState(data)
		require.True(t, ok, "%s", data)
		require.Equal(t, want, got)

		again, err := json.Marshal(got)
		require.NoError(t, err)
		replaced := func(b []byte) string { return strings.ReplaceAll(string(b), `\ufffd`, "\ufffd") } // for what was not UTF-8
		require.Equal(t, replaced(data), replaced(again))

		cut := rapid.IntRange(0, len(data)-1).Draw(t, "cut")
		_, ok = readState(data[:cut])
		require.False(t, ok)
	})
}

func FuzzReadStateAgreesWithEncodingJSON(f *testing.F) {
	for i := range 20 {
		data, err := json.Marshal(states().Example(i))
		require.NoError(f, err)
		f.Add(data)
	}
	for _, text := range []string{
		`{"version":1,"plan":"a","trace":[{},{"at":"2026-01-01T00:00:00.5+02:00"}],"traffic":{}}`,
		`{"version":1,"plan":"\ud800\"","step":007,"skipped":false,"trace":[]}`,
		`{"version":1,"plan":"\`, `{"version":1,"plan":,"name":"b"}`, `{"version":1,"step":`, `{"version":1,"trace":]}`, `{"version":1}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, ok := readState(data)
		if !ok {
			return
		}
		want, err := decodeState(data)
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestAStateInAnotherFormIsTheSameState(t *testing.T) {
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	s := State{
		Plan: "a", Phase: Progressing, Began: at, Entered: at, Shifted: at, Serial: 7, Skipped: true,
		Traffic: Traffic{Canary: Percent}, Trace: []Transition{{At: at, From: "a", To: `"b"`}, {}},
	}
	data, err := json.Marshal(s)
	require.NoError(t, err)
	var spaced bytes.Buffer
	require.NoError(t, json.Indent(&spaced, data, "", " "))
	sorted, err := json.Marshal(map[string]any{"version": 1, "serial": 7, "plan": "a"})
	require.NoError(t, err)
	for text, want := range map[string]State{
		string(data):             s,
		spaced.String():          s,
		string(sorted):           {Plan: "a", Serial: 7},
		`{"version":1,"Step":0}`: {},
	} {
		var got State
		require.NoError(t, got.UnmarshalJSON([]byte(text)), text)
		require.Equal(t, want, got)
	}
}

func TestAStateIsOneDocumentWithEachFieldOnce(t *testing.T) {
	for text, want := range map[string]string{
		`{"version":1}{}`:                                     "something follows",
		`{"version":1} x`:                                     "something follows",
		`{"version":1,"plan":"a","plan":"b"}`:                 "plan: the field stands twice",
		`{"version":1,"traffic":{"canary":"1%","Canary":""}}`: "traffic Canary: the field stands twice\ntraffic Canary: weight",
		`{"version":1,"trace":[{"to":"a","to":"b"}]}`:         "trace 1 to: the field stands twice",
		`{"version":1,"trace":[{"wings":1}]}`:                 "trace 1 wings: there is no such field; want one of at, from, to, reason",
		`{"version":10}`:                                      "it has version 10",
	} {
		var s State
		err := s.UnmarshalJSON([]byte(text))
		require.ErrorIs(t, err, ErrBadState, text)
		require.ErrorContains(t, err, want, text)
		require.Zero(t, s)
	}
}
