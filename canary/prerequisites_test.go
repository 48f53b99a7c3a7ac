package canary_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/canary"
)

// beam is a Prerequisite that notes what is asked of it.
type beam struct {
	name  string
	asked *[]string
	reply canary.Reply
	err   error
}

func (b beam) answer(what string) (canary.Answer, error) {
	*b.asked = append(*b.asked, what+" "+b.name)
	return canary.Answer{Reply: b.reply, Reason: b.name}, b.err
}

func (b beam) Ensure(context.Context, canary.Question) (canary.Answer, error) {
	return b.answer("raise")
}

func (b beam) Cleanup(context.Context, canary.Question) (canary.Answer, error) {
	return b.answer("remove")
}

func TestPrerequisitesStandOnEachOther(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		reply         canary.Reply // of the second
		err           error
		raise, remove []string
	}{
		"all can be used": {canary.Yes, nil, []string{"raise a", "raise b", "raise c"}, []string{"remove c", "remove b", "remove a"}},
		"one is awaited":  {canary.Wait, nil, []string{"raise a", "raise b"}, []string{"remove c", "remove b"}},
		"one has failed":  {canary.No, nil, []string{"raise a", "raise b"}, []string{"remove c", "remove b"}},
		"one is broken":   {canary.Yes, broken, []string{"raise a", "raise b"}, []string{"remove c", "remove b"}},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			s := canary.Prerequisites{beam{"a", &asked, canary.Yes, nil}, beam{"b", &asked, c.reply, c.err}, beam{"c", &asked, canary.Yes, nil}}
			a, err := s.Ensure(t.Context(), canary.Question{Traffic: canary.Traffic{}, Fence: canary.Fence{}})
			require.Equal(t, c.err, err)
			require.Equal(t, c.reply, a.Reply)
			require.Equal(t, c.raise, asked)
			asked = nil
			a, err = s.Cleanup(t.Context(), canary.Question{Fence: canary.Fence{}})
			require.Equal(t, c.err, err)
			require.Equal(t, c.reply, a.Reply)
			require.Equal(t, c.remove, asked)
		})
	}
}
