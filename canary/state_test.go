package canary

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary/cause"
	"github.com/serin-go/serin/canary/order"
	"github.com/serin-go/serin/canary/phase"
)

// fullest has every field at its bound, and the texts in the form that takes the
// most room.
func fullest(text string) State {
	at := time.Date(2199, 12, 31, 23, 59, 59, 123456789, time.UTC)
	name := func(n int) string { return clip(strings.Repeat(text, n), n) }
	s := State{
		Serial: maxSerial,
		Rollout: Rollout{
			Plan: name(maxName), Name: name(maxName), Revision: name(maxName), Owner: name(maxName), End: PromoteStable, Began: at, Object: name(maxName),
			Pin: Pin{name(maxPin), name(maxPin), name(maxPin), name(maxPin)},
		},
		Place: Place{
			Phase: phase.CompletingShift, Step: maxSteps, Outcome: phase.RolledBack, NoReturn: true, Giving: at,
			Traffic: Traffic{333_333, 333_333, 333_333, cohortsOf(name(maxName)), true},
			Retreat: retreat{Cause: cause.StableWorse, Since: at, Gone: at},
		},
		clock:     clock{at, at, at, at, longest, at, true, at, at, at, at, at, at, at, true},
		orders:    orders{Command: Command{order.StepBack, name(maxName), name(maxName), at, name(maxReason)}, Skipped: true, PromoteNow: true},
		evidence:  evidence{Dropped: maxCount, Carry: bytes.Repeat([]byte{0xff}, maxCarry), Frozen: bytes.Repeat([]byte{0xff}, maxCarry)},
		History:   History{Reason: name(maxReason), Drifts: maxCount, Drifting: true, Recalled: true, Restart: true},
		Signature: name(maxSignature),
	}
	for range maxResumed {
		s.Retreat.Resumed = append(s.Retreat.Resumed, resumption{cause.StableWorse, at})
	}
	for range maxGates {
		s.Approved = append(s.Approved, name(maxName))
	}
	for range maxRevisions {
		s.Revisions = append(s.Revisions, name(maxName))
	}
	for i := range maxBlocks {
		from := earliest.Add(time.Duration(i) * 4 * 365 * 24 * time.Hour)
		s.add(block{from, from.Add(365 * 24 * time.Hour), Traffic{Canary: 333_333, Baseline: 333_333, Mirror: 333_333}}, time.Second)
	}
	for range maxTrace {
		s.Trace = append(s.Trace, Transition{at, phase.CompletingShift, maxSteps, name(maxReason)})
	}
	return s
}

func TestAStateWithEveryFieldAtItsBoundFits(t *testing.T) {
	for _, text := range []string{"x", "&", `"`, "\u2028", "ü", "😀"} {
		s := fullest(text)
		requireFilled(t, reflect.ValueOf(s), "State")
		data, err := json.Marshal(s)
		require.NoError(t, err, text)
		require.LessOrEqual(t, len(data), maxState)
		t.Logf("%q: %d bytes", text, len(data))
		var read State
		require.NoError(t, json.Unmarshal(data, &read), text)
		require.Equal(t, s, read)
	}
}

// requireFilled finds a field that a test has forgotten.
func requireFilled(t *testing.T, v reflect.Value, place string) {
	if v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]() {
		for i := range v.NumField() {
			requireFilled(t, v.Field(i), place+"."+v.Type().Field(i).Name)
		}
		return
	}
	require.False(t, v.IsZero(), place)
}

// What is more than its bound is not written, so nobody meets a State that he
// cannot read.
func TestWhatCannotBeReadIsNotWritten(t *testing.T) {
	for name, spoil := range map[string]func(*State){
		"reason":    func(s *State) { s.Reason += "x" },
		"object":    func(s *State) { s.Object += "\n" },
		"pin":       func(s *State) { s.Pin.Capacity += "&" },
		"carry":     func(s *State) { s.Carry = append(s.Carry, 0) },
		"revisions": func(s *State) { s.Revisions = append(s.Revisions, "") },
		"approved":  func(s *State) { s.Approved = append(s.Approved, "") },
		"resumed":   func(s *State) { s.Retreat.Resumed = append(s.Retreat.Resumed, resumption{}) },
		"trace":     func(s *State) { s.Trace[3].Reason += "x" },
		"dropped":   func(s *State) { s.Dropped++ },
		"lookBy":    func(s *State) { s.LookBy = s.LookBy.AddDate(1, 0, 0) },
		"serial":    func(s *State) { s.Serial++ },
		"traffic":   func(s *State) { s.Traffic.Canary = Full },
	} {
		s := fullest("x")
		spoil(&s)
		_, err := json.Marshal(s)
		require.ErrorIs(t, err, ErrBadState, name)
	}
}

func TestAClippedTextFitsAsItIsEncoded(t *testing.T) {
	for _, text := range []string{"", "abc", strings.Repeat("&", 99), strings.Repeat("ü", 99), strings.Repeat("😀&", 99), "a\x00b\nc", "\xff\xfe" + strings.Repeat("a", 99), "\u2028"} {
		for n := 3; n < 60; n++ {
			clipped := clip(text, n)
			encoded, err := json.Marshal(clipped)
			require.NoError(t, err)
			require.LessOrEqual(t, len(encoded)-len(`""`), n, "%q", clipped)
			require.Equal(t, clipped, clip(clipped, n), "clipped twice is clipped once")
			require.NotContains(t, string(encoded), `\u00`+"0", "no control characters")
		}
	}
	require.Equal(t, "a b c", clip("a\x00b\nc", 9))
	require.Equal(t, "abc...", clip("abcdefg", 6))
}

func TestTheOldestBlockIsDroppedAndItsLooksAreCounted(t *testing.T) {
	var e evidence
	minute := func(i int) block {
		from := earliest.Add(time.Duration(i) * time.Hour)
		return block{from, from.Add(time.Minute), Traffic{Canary: Weight(i)}}
	}
	for i := range maxBlocks {
		e.add(minute(i), 10*time.Second)
	}
	before := e
	e.add(minute(maxBlocks), 10*time.Second)
	e.add(minute(maxBlocks+1), 25*time.Second)
	require.Equal(t, 6+2, e.Dropped)
	require.Len(t, e.Blocks, maxBlocks)
	require.Equal(t, minute(2), e.Blocks[0])
	require.Equal(t, minute(maxBlocks+1), e.Blocks[maxBlocks-1])
	require.Equal(t, minute(0), before.Blocks[0], "a copy is independent")
}
