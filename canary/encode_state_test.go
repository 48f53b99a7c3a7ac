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

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// states draws States with every field that there is.
func states() *rapid.Generator[State] {
	odd := rapid.Map(rapid.OneOf(
		rapid.String(), rapid.StringN(0, 20, -1), rapid.StringMatching(`[ -~]{0,20}`),
		rapid.SampledFrom([]string{"", `"`, `\`, `\\"`, "a\x00\x1f\x7fb", "\xff\xc3", "<a>&b", "\u2028\u2029", "ü\n→", `{"version":1}`, `,"name":`}),
	), func(s string) string { return clip(s, maxName) })
	zones := rapid.SampledFrom([]*time.Location{time.UTC, time.Local, time.FixedZone("", 5400), time.FixedZone("w", -9*3600)})
	moments := rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "zero") {
			return time.Time{}
		}
		return time.Unix(rapid.Int64Range(0, 7e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).In(zones.Draw(t, "zone"))
	})
	times := rapid.Custom(func(t *rapid.T) blocks {
		var e evidence
		at := time.UnixMilli(rapid.Int64Range(0, 9e12).Draw(t, "first")).UTC()
		for range rapid.IntRange(0, maxBlocks+5).Draw(t, "blocks") {
			from := at.Add(time.Duration(rapid.IntRange(0, 1e8).Draw(t, "gap")) * time.Millisecond)
			at = from.Add(time.Duration(rapid.IntRange(1, 1e8).Draw(t, "length")) * time.Millisecond)
			share := Weight(rapid.Int64Range(0, int64(Full)).Draw(t, "share"))
			e.add(block{from, at, Traffic{Canary: share, Baseline: Full - share, Mirror: share}}, time.Second)
		}
		return e.Blocks
	})
	carry := rapid.SliceOfN(rapid.Byte(), 0, maxCarry)
	traffic := rapid.Custom(func(t *rapid.T) Traffic {
		share := Weight(rapid.Int64Range(0, int64(Full)).Draw(t, "share"))
		return Traffic{share, Full - share, share, cohortsOf(rapid.SliceOfN(rapid.StringMatching(`[a-z"<]{1,5}`), 0, 3).Draw(t, "cohorts")...), rapid.Bool().Draw(t, "routes")}
	})
	types := map[reflect.Type]*rapid.Generator[any]{
		reflect.TypeFor[string]():        odd.AsAny(),
		reflect.TypeFor[time.Time]():     moments.AsAny(),
		reflect.TypeFor[int]():           rapid.IntRange(0, maxSteps).AsAny(),
		reflect.TypeFor[int64]():         rapid.Int64Range(0, maxSerial).AsAny(),
		reflect.TypeFor[time.Duration](): rapid.Map(rapid.Int64Range(0, int64(longest)), func(n int64) time.Duration { return time.Duration(n) }).AsAny(),
		reflect.TypeFor[blocks]():        times.AsAny(),
		reflect.TypeFor[Traffic]():       traffic.AsAny(),
		reflect.TypeFor[[]byte]():        carry.AsAny(),
		reflect.TypeFor[[]string]():      rapid.SliceOfN(odd, 0, maxGates).AsAny(),
		reflect.TypeFor[phase.Phase]():   oneOf[phase.Phase](int(phase.RolledBack) + 1),
		reflect.TypeFor[order.Order]():   oneOf[order.Order](len(means)),
		reflect.TypeFor[cause.Cause]():   oneOf[cause.Cause](int(cause.Over) + 1),
		reflect.TypeFor[EndKind]():       oneOf[EndKind](len(endNames)),
	}
	config := rapid.MakeConfig{Types: types}
	types[reflect.TypeFor[[]Transition]()] = rapid.SliceOfN(rapid.MakeCustom[Transition](config), 0, maxTrace).AsAny()
	types[reflect.TypeFor[[]resumption]()] = rapid.SliceOfN(rapid.MakeCustom[resumption](config), 0, maxResumed).AsAny()
	return rapid.Map(rapid.MakeCustom[State](config), func(s State) State {
		for _, all := range []*[]string{&s.Approved, &s.Revisions} {
			if len(*all) == 0 {
				*all = nil
			}
		}
		for _, all := range []*[]byte{&s.Carry, &s.Frozen} {
			if len(*all) == 0 {
				*all = nil
			}
		}
		if len(s.Trace) == 0 {
			s.Trace = nil
		}
		if len(s.Retreat.Resumed) == 0 {
			s.Retreat.Resumed = nil
		}
		if !s.Outcome.Final() {
			s.Outcome = phase.Idle
		}
		if s.Phase != phase.Idle && (s.Plan == "" || s.Began.IsZero() || s.Entered.IsZero() || s.Shifted.IsZero()) {
			s.Phase = phase.Idle
		}
		return s
	})
}

func oneOf[E ~uint8](n int) *rapid.Generator[any] {
	return rapid.Map(rapid.IntRange(0, n-1), func(n int) E { return E(n) }).AsAny()
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
		`{"version":1,"rollout":{"plan":"a"},"history":{"trace":[{},{"at":"2026-01-01T00:00:00.5+02:00"}]},"traffic":{}}`,
		`{"version":1,"rollout":{"plan":"\ud800\""},"place":{"step":007},"orders":{"skipped":false,"approved":[]}}`,
		`{"version":1,"rollout":{"plan":"\`, `{"version":1,"rollout":{"plan":,"name":"b"}}`, `{"version":1,"place":{"step":`, `{"version":1,"history":]}`, `{"version":1}}`,
		`{"version":1,"orders":{"approved":["a","b"]},"evidence":{"carry":"AA==","frozen":"AB=="}}`, `{"version":1,"evidence":{"carry":"A\u0041=="}}`,
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
		Serial: 7, Rollout: Rollout{Plan: "a", Began: at}, Place: Place{Phase: phase.Progressing, Traffic: Traffic{Canary: Percent}},
		clock: clock{Entered: at, Shifted: at}, orders: orders{Skipped: true, Approved: []string{"a", `"b"`}},
		evidence: evidence{Carry: []byte("c")}, History: History{Trace: []Transition{{At: at, Phase: phase.Baking, Reason: `"b"`}, {}}},
	}
	data, err := json.Marshal(s)
	require.NoError(t, err)
	var spaced bytes.Buffer
	require.NoError(t, json.Indent(&spaced, data, "", " "))
	sorted, err := json.Marshal(map[string]any{"version": 1, "serial": 7, "rollout": map[string]string{"plan": "a"}})
	require.NoError(t, err)
	for text, want := range map[string]State{
		string(data):                       s,
		spaced.String():                    s,
		string(sorted):                     {Serial: 7, Rollout: Rollout{Plan: "a"}},
		`{"version":1,"Place":{"Step":0}}`: {},
	} {
		var got State
		require.NoError(t, got.UnmarshalJSON([]byte(text)), text)
		require.Equal(t, want, got)
	}
}

func TestAStateIsOneDocumentWithEachFieldOnce(t *testing.T) {
	for text, want := range map[string]string{
		`{"version":1}{}`: "something follows",
		`{"version":1} x`: "something follows",
		`{"version":1,"rollout":{"plan":"a","plan":"b"}}`:               "rollout plan: the field stands twice",
		`{"version":1,"place":{"traffic":{"canary":"1%","Canary":""}}}`: "place traffic Canary: the field stands twice\nplace traffic Canary: weight",
		`{"version":1,"history":{"trace":[{"step":1,"step":2}]}}`:       "history trace 1 step: the field stands twice",
		`{"version":1,"history":{"trace":[{"wings":1}]}}`:               "history trace 1 wings: there is no such field; want one of at, phase, step, reason",
		`{"version":1,"plan":"a"}`:                                      "plan: there is no such field",
		`{"version":10}`:                                                "it has version 10",
	} {
		var s State
		err := s.UnmarshalJSON([]byte(text))
		require.ErrorIs(t, err, ErrBadState, text)
		require.ErrorContains(t, err, want, text)
		require.Zero(t, s)
	}
}
