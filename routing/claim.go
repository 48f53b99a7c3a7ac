package routing

import (
	"fmt"
	"strings"

	"github.com/serin-go/serin/canary/phase"

	networking "istio.io/client-go/pkg/apis/networking/v1"
)

// claim refuses rules to which the rollout of another target has given live
// traffic, unless this one has done so as well.
func (h *HTTP) claim(vs *networking.VirtualService, rules []steered) error {
	for key, text := range vs.Annotations {
		name, ours := strings.CutPrefix(key, domain)
		id, originals := strings.CutSuffix(name, ".original")
		if !ours || !originals || id == h.id || vs.Annotations[h.kept] != "" || !isUnderWay(vs, id) {
			continue
		}
		theirs, _ := decodeOriginals(text) // what cannot be understood claims nothing
		for _, o := range theirs {
			for i := range rules {
				if o.Rule == rules[i].key {
					return fmt.Errorf("%v: %w: that of the target %q, as the annotation %s says; let it end, or abort it by %s; if there is none, remove the annotation",
						&rules[i], ErrTaken, id, key, AbortAnnotation(id))
				}
			}
		}
	}
	return nil
}

// isUnderWay reports whether a target may have a rollout that is not over: the State
// of it cannot be read, or is kept somewhere else, by the lead of this object.
func isUnderWay(vs *networking.VirtualService, id string) bool {
	s, err := state(vs.Annotations, id)
	_, here := vs.Annotations[StateAnnotation(id)]
	return !here || err != nil || s.Phase != phase.Idle && !s.Phase.Final()
}
