package canary_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/serin-go/serin/canary"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAWeightPrintsInPercent(t *testing.T) {
	for w, want := range map[canary.Weight]string{
		0: "0%", 1: "0.0001%", canary.Percent: "1%", canary.Percent / 10: "0.1%", 125 * canary.Percent / 10: "12.5%",
		canary.Full: "100%", -canary.Percent / 2: "-0.5%", 5 * canary.Full: "500%",
	} {
		require.Equal(t, want, w.String())
	}
}

func TestEveryWeightIsParsedFromWhatItPrints(t *testing.T) {
	for w := canary.Weight(0); w <= canary.Full; w += 97 {
		parsed, err := canary.ParseWeight(w.String())
		require.NoError(t, err)
		require.Equal(t, w, parsed)
	}
}

func TestWhatIsNoShareIsRefusedWithWhatWouldBeRight(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "want a percentage",
		"5":                          "want a percentage",
		"0.5":                        "want a percentage",
		"%":                          "want digits",
		"5 %":                        "want digits",
		"-5%":                        "want digits",
		"5.%":                        "want digits",
		".5%":                        "want digits",
		"1e2%":                       "want digits",
		"0.00001%":                   "the finest share is 0.0001%",
		"101%":                       "between 0% and 100%",
		"99999999999999999999%":      "between 0% and 100%",
		"100000000000000000000.123%": "between 0% and 100%",
	} {
		_, err := canary.ParseWeight(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestAWeightIsJSONText(t *testing.T) {
	data, err := json.Marshal(canary.Traffic{Canary: 125 * canary.Percent / 10, Mirror: canary.Full})
	require.NoError(t, err)
	require.JSONEq(t, `{"canary":"12.5%","mirror":"100%"}`, string(data))
	var back canary.Traffic
	require.ErrorContains(t, json.Unmarshal([]byte(`{"canary":"120%"}`), &back), "between 0% and 100%")
}

func FuzzParseWeight(f *testing.F) {
	f.Add("12.5%")
	f.Add("100.0000%")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := canary.ParseWeight(text)
		if err != nil {
			return
		}
		require.True(t, w.Valid())
		again, err := canary.ParseWeight(w.String())
		require.NoError(t, err)
		require.Equal(t, w, again)
	})
}

func TestSequencesEndExactlyAtTheirLastWeight(t *testing.T) {
	pct := func(ws ...canary.Weight) []canary.Weight {
		for i := range ws {
			ws[i] *= canary.Percent
		}
		return ws
	}
	const p = canary.Percent
	require.Equal(t, pct(20, 40, 60, 80, 100), slices.Collect(canary.Linear(20*p, 20*p, canary.Full)))
	require.Equal(t, pct(30, 50), slices.Collect(canary.Linear(30*p, 30*p, 50*p)), "maxWeight 50 with step 30 does not go to 60")
	require.Equal(t, pct(7), slices.Collect(canary.Linear(7*p, p, 7*p)))
	require.Empty(t, slices.Collect(canary.Linear(p, 0, canary.Full)))
	require.Empty(t, slices.Collect(canary.Linear(9*p, p, 8*p)))
	require.Equal(t, pct(1, 2, 4, 8, 10), slices.Collect(canary.Exponential(p, 2, 10*p)))
	require.Empty(t, slices.Collect(canary.Exponential(p, 1, 10*p)))
	require.Equal(t, pct(1, 100), slices.Collect(canary.Exponential(p, 1e300, canary.Full)))
	require.Equal(t, pct(5, 50), slices.Collect(canary.List(5*p, 50*p)))
}

func TestASequenceRisesStrictlyAndStaysWithinItsBounds(t *testing.T) {
	weight := rapid.Custom(func(t *rapid.T) canary.Weight {
		return canary.Weight(rapid.Int64Range(-10, int64(canary.Full)).Draw(t, "weight"))
	})
	rapid.Check(t, func(t *rapid.T) {
		from, to := weight.Draw(t, "from"), weight.Draw(t, "to")
		seq := canary.Linear(from, weight.Draw(t, "by")/50, to)
		if rapid.Bool().Draw(t, "exponential") {
			seq = canary.Exponential(from, rapid.Float64().Draw(t, "factor"), to)
		}
		last := from - 1
		for w := range seq {
			if w <= last || w > to {
				t.Fatalf("%v follows %v on the way to %v", w, last, to)
			}
			last = w
		}
		if last >= from && last != to {
			t.Fatalf("ended at %v, want %v", last, to)
		}
	})
}
