package traffic

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-go/serin/fake/internal/proxies"
)

// armKey names the pods of one version of a workload.
type armKey struct {
	workload types.NamespacedName
	image    string
}

// meter is what the pods of one version of a workload receive.
type meter struct {
	arrived  uint64  // since the last Weigh
	capacity float64 // requests per second that all of them can answer
	over     float64 // share of the requests that are too many, until the next Weigh
}

// overload counts k requests to pods that can answer some per second each, and draws how
// many of them are too many.
func (n *Net) overload(a *proxies.Arm, each float64, k uint64) uint64 {
	key := armKey{types.NamespacedName{Namespace: a.Namespace, Name: a.Workload}, a.Image}
	m := n.meters[key]
	if m == nil {
		m = new(meter)
		n.meters[key] = m
	}
	m.arrived += k
	m.capacity = each * float64(a.Ready)
	return n.Dice.Binomial(k, m.over)
}

// Weigh compares what pods received since the last call with what they can answer. The
// share that was too many is refused until the next call.
func (n *Net) Weigh(elapsed time.Duration) {
	for _, m := range n.meters {
		m.over = 0
		if can := m.capacity * elapsed.Seconds(); float64(m.arrived) > can {
			m.over = 1 - can/float64(m.arrived)
		}
		m.arrived = 0
	}
}
