package sequential

import "github.com/serin-go/serin/internal/evidence"

// test is one of package evidence.
type test interface {
	Evidence() evidence.Evidence
	Sight() float64
	Resume(looks int)
}

// halves are the tests of copies and of live requests, two processes of their own: copies pass
// nothing. Copies fail the canary with a quarter of the evidence, if the
// rollout begins with them. What they could not prove is no evidence beside live requests: it would
// be in doubt for ever, as no copy can refute it.
type halves[T test] struct {
	copies, live T
	begins, now  bool // with copies
	alone        bool // at present
}

// newHalves returns the halves of a rollout of which earlier looks are lost.
func newHalves[T test](copies, live T, all []look) halves[T] {
	copies.Resume(all[0].lost)
	live.Resume(all[0].lost)
	return halves[T]{copies: copies, live: live}
}

// at returns the test of a look, which is the present one from now on.
func (h *halves[T]) at(k int, all []look) T {
	h.now, h.alone = all[k].block.Mirrored, all[k].alone
	h.begins = h.begins || k == 0 && h.now
	return h.present()
}

func (h *halves[T]) present() T {
	if h.now {
		return h.copies
	}
	return h.live
}

func (h *halves[T]) evidence() evidence.Evidence {
	e := evidence.Evidence{Fail: h.live.Evidence().Fail}
	if !h.now {
		e.Pass = h.live.Evidence().Pass
	}
	if h.begins {
		copies := h.copies.Evidence().Fail
		if !h.now {
			copies = min(copies, 0)
		}
		e.Fail = evidence.LogMean([]float64{copies, e.Fail}, []float64{1, 3})
	}
	return e
}

// wait is why nothing passes at present.
func (h *halves[T]) wait() string {
	switch {
	case h.now:
		return "copies pass nothing"
	case h.alone:
		return "nothing passes while the new version has everything, as there is nothing to compare it with"
	}
	return ""
}

// sight is how well the present step was looked at.
func (h *halves[T]) sight() (float64, bool) { return h.present().Sight(), true }
