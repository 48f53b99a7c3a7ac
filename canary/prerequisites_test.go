package canary

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// beam is a Prerequisite that notes what is asked of it.
type beam struct {
	name  string
	asked *[]string
	reply Reply
	err   error
}

func (b beam) answer(what string) (Answer, error) {
	*b.asked = append(*b.asked, what+" "+b.name)
	return Answer{Reply: b.reply, Reason: b.name}, b.err
}

func (b beam) Ensure(context.Context, Question) (Answer, error) {
	return b.answer("raise")
}

func (b beam) Cleanup(context.Context, Question) (Answer, error) {
	return b.answer("remove")
}

func TestPrerequisitesStandOnEachOther(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		reply         Reply // of the second
		err           error
		raise, remove []string
	}{
		"all can be used": {Yes, nil, []string{"raise a", "raise b", "raise c"}, []string{"remove c", "remove b", "remove a"}},
		"one is awaited":  {Wait, nil, []string{"raise a", "raise b"}, []string{"remove c", "remove b"}},
		"one has failed":  {No, nil, []string{"raise a", "raise b"}, []string{"remove c", "remove b"}},
		"one is broken":   {Yes, broken, []string{"raise a", "raise b"}, []string{"remove c", "remove b"}},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			s := prerequisites{beam{"a", &asked, Yes, nil}, beam{"b", &asked, c.reply, c.err}, beam{"c", &asked, Yes, nil}}
			a, err := s.ensure(t.Context(), Question{Traffic: Traffic{}, Fence: Fence{}})
			require.Equal(t, c.err, err)
			require.Equal(t, c.reply, a.Reply)
			require.Equal(t, c.raise, asked)
			asked = nil
			a, err = s.cleanup(t.Context(), Question{Fence: Fence{}})
			require.Equal(t, c.err, err)
			require.Equal(t, c.reply, a.Reply)
			require.Equal(t, c.remove, asked)
		})
	}
}
