package routing

import (
	"fmt"
	"strings"

	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary/phase"
)

// claim returns ErrTaken if the rollout of another target has given one of the rules live
// traffic, and this target's rollout has no live traffic.
func (h *HTTP) claim(vs *networking.VirtualService, rules []steered) error {
	for key, text := range vs.Annotations {
		name, ours := strings.CutPrefix(key, domain)
		id, originals := strings.CutSuffix(name, ".original")
		if !ours || !originals || id == h.id || vs.Annotations[h.kept] != "" || !isUnderWay(vs, id) {
			continue
		}
		theirs, _ := decodeOriginals(text) // an annotation that cannot be decoded claims nothing
		for _, o := range theirs {
			for i := range rules {
				if o.Rule == rules[i].key {
					return fmt.Errorf("%v: %w: target %q, according to annotation %s; wait until its rollout has ended or abort it with annotation %s; if there is no such rollout, remove annotation %s",
						&rules[i], ErrTaken, id, key, AbortAnnotation(id), key)
				}
			}
		}
	}
	return nil
}

// isUnderWay reports whether the target with this ID may have an unfinished rollout. This
// includes a State that cannot be read, and a State that is stored in another object, the
// lead of this one.
func isUnderWay(vs *networking.VirtualService, id string) bool {
	s, err := state(vs.Annotations, id)
	_, here := vs.Annotations[StateAnnotation(id)]
	return !here || err != nil || s.Phase != phase.Idle && !s.Phase.Final()
}
