package fake_test

import (
	"encoding/json"
	"math"
	"sync"
	"time"

	"github.com/serin-go/serin/fake/apiserver"
)

const (
	// badCapacity is how many requests a second a pod answers, where pods are scarce: 3 pods
	// have a reserve of a half, which is more than the quarter that a rollout counts on.
	badCapacity = 60.0
	// badTarget is what an autoscaler wants a pod to have: 65 % of that.
	badTarget = 39.0
	// badFollow is how long an autoscaler needs: it counts the requests of a minute, and looks
	// each 15 s. A second look comes before or after the pods of the first one are ready.
	badFollow = time.Minute + 2*15*time.Second
)

// badArm is the pods of a version.
type badArm struct{ asked, ready int }

// badSupply knows the pods and the load, and counts the requests that fail for want of pods
// whatever a rollout does: no division of the traffic gives them a pod that can answer, or they
// would fail without a rollout too.
type badSupply struct {
	mu             sync.Mutex
	since          time.Time // what follows is as it is
	scarce         bool      // pods have a capacity
	load           float64   // requests a second
	stable, canary badArm
	// alone is how many pods stable would have without the rollout, and evicted those of them
	// that something took away: what stable lacks now, it would lack then.
	alone   int
	evicted bool
	bad     float64 // share of the canary's pods that are of no use, because it fails
	lost    float64 // requests so far
	// before is how many were lost a second before the last change, which proxies act on until
	// then.
	before float64
	until  time.Time
}

// badNotice is when all proxies know of a pod, and the second is over in which what pods that are
// overloaded receive is compared.
const badNotice = badDelay + badSpread + 2*time.Second

// change counts what was lost so far, and then changes something.
func (s *badSupply) change(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, short := time.Now(), s.short()
	late := max(0, min(now.Sub(s.since), s.until.Sub(s.since)))
	s.lost += max(s.before, short)*late.Seconds() + short*(now.Sub(s.since)-late).Seconds()
	s.since = now
	do()
	switch {
	case s.short() >= short:
	case now.Before(s.until):
		s.before, s.until = max(s.before, short), now.Add(badNotice)
	default:
		s.before, s.until = short, now.Add(badNotice)
	}
}

// take returns what was lost since it was called last.
func (s *badSupply) take() (lost float64) {
	s.change(func() { lost, s.lost = s.lost, 0 })
	return lost
}

// short is how many requests a second find no pod that can answer them.
func (s *badSupply) short() float64 {
	if !s.scarce {
		return 0
	}
	together := float64(s.stable.ready) + float64(s.canary.ready)*(1-s.bad)
	alone := s.alone
	if s.evicted {
		alone -= max(0, s.stable.asked-s.stable.ready)
	}
	return max(0, s.load-badCapacity*math.Min(together, float64(max(0, alone))))
}

// follow notes how many pods an autoscaler of stable would ask for by now, or no more than there
// were.
func (s *badSupply) follow(fewer bool) {
	wants := max(badPods, int(math.Ceil(s.load/badTarget)))
	if !fewer || wants < s.alone {
		s.alone = wants
	}
}

// see notes the pods of a Deployment.
func (s *badSupply) see(c apiserver.Change) {
	var o struct {
		Spec   struct{ Replicas int }
		Status struct{ ReadyReplicas int }
	}
	if json.Unmarshal(c.Object, &o) != nil {
		return
	}
	arm := badArm{o.Spec.Replicas, o.Status.ReadyReplicas}
	s.change(func() {
		switch c.Name {
		case "reviews-v1":
			s.stable = arm
			s.evicted = s.evicted && arm.ready < arm.asked
		case "reviews-v2":
			s.canary = arm
		}
	})
}

// look counts what was lost whenever pods or traffic change, soon after that.
func (l *badLedger) look(c apiserver.Change) {
	switch c.Resource.Resource {
	case "deployments":
		l.supply.see(c)
	case "virtualservices":
	default:
		return
	}
	time.AfterFunc(time.Second, func() { l.change(func() {}) })
}
