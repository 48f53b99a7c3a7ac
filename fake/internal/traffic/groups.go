package traffic

import (
	"slices"

	"github.com/serin-go/serin/fake/internal/proxies"
)

// tries are requests that went the same way so far.
type tries struct {
	n     uint64
	made  int       // how many tries have failed
	spent float64   // milliseconds since the first one, on average
	pods  []float64 // on how many pods of each arm they have failed, on average; nil is none
	dead  int       // on how many pods in all
	twice bool      // the pod of this try is one of them
}

func (h *tries) on(arm int) float64 {
	if h.pods == nil {
		return 0
	}
	return h.pods[arm]
}

// maxGroups is how many groups of requests are told apart by the pods that they
// failed on. Beyond it, those that failed on equally many pods are one, of which
// only the average is known.
const maxGroups = 32

// merge adds requests that have just failed on a pod of an arm.
func merge(all []tries, h tries, c *proxies.Cluster, arm int) []tries {
	if h.n == 0 {
		return all
	}
	if !h.twice {
		h.fail(c, arm)
	}
	for i := range all {
		if slices.Equal(all[i].pods, h.pods) {
			all[i].and(h)
			return all
		}
	}
	if len(all) >= maxGroups {
		for i := range all {
			if all[i].dead == h.dead {
				all[i].and(h)
				return all
			}
		}
	}
	return append(all, h)
}

// fail notes a pod of an arm that was not among those that failed. Where it was
// so for some of the requests only, it is now for all, and others are instead.
func (h *tries) fail(c *proxies.Cluster, arm int) {
	pods := make([]float64, len(c.Arms))
	copy(pods, h.pods)
	h.dead++
	pods[arm]++
	if over := pods[arm] - float64(c.Arms[arm].Ready); over > 0 {
		pods[arm] -= over
		others := 0.0
		for i := range pods {
			if i != arm {
				others += pods[i]
			}
		}
		for i := range pods {
			if i != arm && others > 0 {
				pods[i] = min(pods[i]*(1+over/others), float64(c.Arms[i].Ready))
			}
		}
	}
	h.pods = pods
}

// add merges some more requests into these, which failed on the same pods.
func (h *tries) add(n uint64, spent float64) {
	h.and(tries{n: n, spent: spent, pods: h.pods})
}

// and merges some more requests into these.
func (h *tries) and(other tries) {
	w := float64(other.n) / float64(h.n+other.n)
	h.n += other.n
	h.spent += (other.spent - h.spent) * w
	if !slices.Equal(h.pods, other.pods) {
		pods := slices.Clone(h.pods)
		for i := range pods {
			pods[i] += (other.pods[i] - pods[i]) * w
		}
		h.pods = pods
	}
}

// still returns which pods of a cluster have failed, of those that did when it was
// another one.
func still(failed []float64, c, before *proxies.Cluster) []float64 {
	if failed == nil || c == before {
		return failed
	}
	pods := make([]float64, len(c.Arms))
	for i, a := range before.Arms {
		now := slices.IndexFunc(c.Arms, func(b proxies.Arm) bool { return a.ID == b.ID && a.Image == b.Image })
		if now >= 0 {
			pods[now] = min(pods[now]+failed[i], float64(c.Arms[now].Ready))
		}
	}
	return pods
}
