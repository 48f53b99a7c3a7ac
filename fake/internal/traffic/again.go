package traffic

import (
	"math"

	"github.com/serin-go/serin/fake/internal/proxies"
)

// reselections is how often Istio lets Envoy draw a pod that has not failed
// before: the first draw and five more.
const reselections = 6

// repeat sends failed requests to other pods of their cluster until none is to
// be tried again.
func (f *flow) repeat(c *proxies.Cluster, failed []tries) {
	for len(failed) > 0 {
		var next []tries
		for _, h := range failed {
			next = f.again(c, h, next)
		}
		failed = next
	}
}

// again makes one more try, and adds those that fail to next.
func (f *flow) again(c *proxies.Cluster, h tries, next []tries) []tries {
	failed := 0.0 // pods
	for arm := range c.Arms {
		failed += h.on(arm)
	}
	miss := math.Pow(failed/float64(c.Pods), reselections) // every draw finds a pod that has failed
	old := f.net.Dice.Binomial(h.n, miss)
	fresh, left := h.n-old, float64(c.Pods)-failed
	for i := range c.Arms {
		known := h.on(i)
		weight := float64(c.Arms[i].Ready) - known
		k := f.net.Dice.Part(fresh, weight, left)
		fresh, left = fresh-k, left-weight
		h.twice = f.anywhere()
		next = merge(next, f.serve(c, i, k, h), c, i)
		k = f.net.Dice.Part(old, known, failed)
		old, failed = old-k, failed-known
		h.twice = true
		next = merge(next, f.serve(c, i, k, h), c, i)
	}
	return next
}
