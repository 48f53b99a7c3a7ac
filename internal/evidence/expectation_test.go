package evidence_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/serin-go/serin/internal/evidence"
)

const rounding = 1e-9

// binomial returns the probabilities of 0 to n bad requests of n.
func binomial(n int, p float64) []float64 {
	all := make([]float64, n+1)
	all[0] = 1
	for range n {
		for x := n; x >= 0; x-- {
			all[x] *= 1 - p
			if x > 0 {
				all[x] += all[x-1] * p
			}
		}
	}
	return all
}

// unequal returns the probabilities of the count when requests have different
// probabilities of being bad, p on the average.
func unequal(n int, p float64) []float64 {
	all := []float64{1}
	spread := min(p, 1-p)
	for i := range n {
		q := p
		if i+1 < n || n%2 == 0 {
			q += spread * float64(1-2*(i%2))
		}
		next := make([]float64, len(all)+1)
		for x, w := range all {
			next[x] += w * (1 - q)
			next[x+1] += w * q
		}
		all = next
	}
	return all
}

func look(x, n, y, m int) evidence.Look {
	return evidence.Look{
		Canary:   evidence.Count{Bad: float64(x), Total: float64(n)},
		Baseline: evidence.Count{Bad: float64(y), Total: float64(m)},
	}
}

// expect sums e^f over all outcomes.
func expect(canary, baseline []float64, f func(l evidence.Look) float64) float64 {
	sum := 0.0
	for x, px := range canary {
		for y, py := range baseline {
			if px*py > 0 {
				sum += px * py * math.Exp(f(look(x, len(canary)-1, y, len(baseline)-1)))
			}
		}
	}
	return sum
}

var (
	margins = []evidence.Margin{{Factor: 1}, {Factor: 1.05}, {Factor: 1.5, Extra: 0.0005}, {Factor: 1.2, Extra: 0.05}, {Factor: 1, Extra: 0.2}, {Factor: 3}}
	sizes   = [][2]int{{1, 1}, {1, 9}, {5, 5}, {3, 20}, {12, 2}, {8, 0}, {0, 8}}
	rates   = []float64{0, 0.001, 0.05, 0.3, 0.6, 1}
	worse   = []float64{1.1, 1.2, 1.5, 2, 3, 5, 10, 30, 200}
	better  = []float64{0.05, 0.2, 0.4, 0.6, 0.75, 0.9}
)

// nulls calls f with rates of the canary on the margin and within it: no more
// than the margin allows for a fail, no less for a pass.
func nulls(margin evidence.Margin, pb float64, f func(pc float64, grid []float64)) {
	edge := margin.Factor*pb + margin.Extra
	for _, share := range []float64{0, 0.3, 0.8, 1} {
		f(min(edge*share, 1), worse)
	}
	for _, share := range []float64{0, 0.1, 0.5, 1} {
		if edge <= 1 {
			f(edge+(1-edge)*share, better)
		}
	}
}

func TestNoKernelAgainstTheBaselineExpectsMoreThanOne(t *testing.T) {
	kernels := map[string]func(evidence.Look, evidence.Margin, float64) float64{
		"split": evidence.LogSplit,
		"projection": func(l evidence.Look, m evidence.Margin, g float64) float64 {
			q := min(m.Factor*0.2+m.Extra, 0.999) // the guess is far off mostly
			return evidence.LogProjection(l, m, g*q/(1-q+g*q), 0.2)
		},
	}
	for name, kernel := range kernels {
		largest := 0.0
		for _, margin := range margins {
			for _, size := range sizes {
				for _, pb := range rates {
					nulls(margin, pb, func(pc float64, grid []float64) {
						for _, g := range grid {
							f := func(l evidence.Look) float64 { return kernel(l, margin, g) }
							even := expect(binomial(size[0], pc), binomial(size[1], pb), f)
							odd := expect(unequal(size[0], pc), unequal(size[1], pb), f)
							largest = max(largest, even, odd)
							require.LessOrEqual(t, max(even, odd), 1+rounding, "%s %+v n,m=%v p=%v,%v g=%v", name, margin, size, pc, pb, g)
						}
					})
				}
			}
		}
		require.Greater(t, largest, 0.99, "%s: on the margin it comes near 1", name)
	}
}

func TestNoKernelOfOneArmExpectsMoreThanOne(t *testing.T) {
	for _, n := range []int{1, 7, 30} {
		for _, p0 := range []float64{0.001, 0.05, 0.4, 0.95} {
			for _, share := range []float64{0, 0.5, 1} {
				for _, g := range append(worse, better...) {
					p := p0 * share
					if g < 1 {
						p = p0 + (1-p0)*(1-share)
					}
					constant := expect(binomial(n, p), []float64{1}, func(l evidence.Look) float64 {
						return evidence.LogAbsolute(l.Canary, p0, g)
					})
					odds := expect(binomial(n, p), []float64{1}, func(l evidence.Look) float64 {
						return evidence.LogOdds(l.Canary.Bad, l.Canary.Total-l.Canary.Bad, p0, g)
					})
					require.LessOrEqual(t, max(constant, odds), 1+rounding, "n=%v p0=%v p=%v g=%v", n, p0, p, g)
				}
				dirichlet := expect(binomial(n, p0), []float64{1}, func(l evidence.Look) float64 {
					return evidence.LogDirichlet(l.Canary.Bad, l.Canary.Total-l.Canary.Bad, p0, 100)
				})
				require.InDelta(t, 1, dirichlet, rounding)
			}
		}
	}
}

// The count of a block is beta-binomial given all of its events.
func TestTheBlockKernelExpectsAtMostOneUnderGammaNoise(t *testing.T) {
	const n, m, events, tau = 30, 70, 12, 0.4
	for _, rho := range []float64{1, 1.3} {
		for _, truth := range []float64{0.5, 0.9, 1, 1.2, 2} { // rate ratio over rho
			for _, g := range append(worse, better...) {
				if (g > 1) != (truth <= 1) && truth != 1 {
					continue
				}
				sum := 0.0
				for x := range events + 1 {
					sum += math.Exp(logBetaBinomial(x, events, tau, rho*truth*n/m) + evidence.LogBlock(look(x, n, events-x, m), rho, tau, g))
				}
				require.LessOrEqual(t, sum, 1+rounding, "rho=%v truth=%v g=%v", rho, truth, g)
			}
		}
	}
}

func logBetaBinomial(x, n int, tau, odds float64) float64 {
	log := func(v float64) float64 { l, _ := math.Lgamma(v); return l }
	a, b, k := 1/(tau*tau), 1/(tau*tau*odds), float64(n-x)
	return log(float64(n)+1) - log(float64(x)+1) - log(k+1) +
		log(a+float64(x)) + log(b+k) - log(a+b+float64(n)) - log(a) - log(b) + log(a+b)
}

func TestTheOrderKernelExpectsAtMostOneForACanaryThatIsNotSlower(t *testing.T) {
	r := []float64{0.7, 1, 2.5}
	baseline := [3]float64{0.5, 0.3, 0.2}
	for _, canary := range [][3]float64{baseline, {0.6, 0.2, 0.2}, {0.5, 0.45, 0.05}, {1, 0, 0}, {0.7, 0.3, 0}} {
		for _, n := range []int{1, 4} {
			sum := 0.0
			trinomial(n, canary, func(c []float64, p float64) {
				trinomial(6, baseline, func(b []float64, q float64) {
					sum += p * q * math.Exp(evidence.LogOrder(c, b, r))
				})
			})
			require.LessOrEqual(t, sum, 1+rounding, "%v", canary)
		}
	}
	require.Zero(t, evidence.LogOrder([]float64{1, 2}, []float64{1, 2}, []float64{2, 1}), "decreasing")
	require.Zero(t, evidence.LogOrder([]float64{1, 2}, []float64{1}, r), "of unequal length")
	require.Zero(t, evidence.LogOrder([]float64{0, 0}, []float64{1, 2}, r[:2]), "an empty arm")
}

func trinomial(n int, p [3]float64, f func(counts []float64, weight float64)) {
	for i := range n + 1 {
		for j := range n + 1 - i {
			a, _ := math.Lgamma(float64(n + 1))
			b, _ := math.Lgamma(float64(i + 1))
			c, _ := math.Lgamma(float64(j + 1))
			d, _ := math.Lgamma(float64(n - i - j + 1))
			w := math.Exp(a-b-c-d) * math.Pow(p[0], float64(i)) * math.Pow(p[1], float64(j)) * math.Pow(p[2], float64(n-i-j))
			f([]float64{float64(i), float64(j), float64(n - i - j)}, w)
		}
	}
}

// The density of Student's t is integrated over t = tan(u) sqrt(nu).
func TestTheStudentKernelExpectsOne(t *testing.T) {
	for _, n := range []float64{2, 5, 40} {
		nu, sum, whole := n-1, 0.0, 0.0
		const steps = 200_000
		for i := range steps {
			u := math.Pi * ((float64(i)+0.5)/steps - 0.5)
			w := math.Pow(math.Cos(u), nu-1) // (1+t^2/nu)^-(nu+1)/2 dt
			whole += w
			sum += w * math.Exp(evidence.LogT(math.Tan(u)*math.Sqrt(nu), n, 0.1))
		}
		require.InDelta(t, 1, sum/whole, 1e-3, "n=%v", n)
	}
}

// sequences calls f with every sequence of looks of n and m requests, and its
// probability.
func sequences(looks, n, m int, pc, pb func(k int) float64, f func(s []evidence.Look, weight float64)) {
	var s []evidence.Look
	var extend func(weight float64)
	extend = func(weight float64) {
		k := len(s)
		if k == looks {
			f(s, weight)
			return
		}
		canary, baseline := binomial(n, pc(k)), binomial(m, pb(k))
		for x, px := range canary {
			for y, py := range baseline {
				if px*py > 0 {
					s = append(s, look(x, n, y, m))
					extend(weight * px * py)
					s = s[:k]
				}
			}
		}
	}
	extend(1)
}

// A block is a look, so that the noise is raised by what earlier looks showed,
// and the rates drift.
func TestNoTestAgainstTheBaselineExpectsMoreThanOne(t *testing.T) {
	for _, margin := range []evidence.Margin{{Factor: 1}, {Factor: 1.4}, {Factor: 1.2, Extra: 0.1}, {Factor: 1, Extra: 0.3}} {
		s := evidence.Settings{Fail: margin, Pass: margin, Block: 1, Blocks: 3, Noise: 0.5, FirstShare: 0.6, LookCap: 1.1}
		for _, size := range [][2]int{{2, 3}, {3, 2}, {1, 5}} {
			for _, rate := range []float64{0.02, 0.15, 0.4} {
				drift := func(k int) float64 { return rate * (1 + 0.3*float64(k)) }
				edge := func(k int) float64 { return min(margin.Factor*drift(k)+margin.Extra, 1) }
				var fail, pass, slowFail, slowPass float64
				sequences(3, size[0], size[1], edge, drift, func(looks []evidence.Look, weight float64) {
					e, l := judged(t, s, looks)
					fail += weight * math.Exp(e.Fail)
					pass += weight * math.Exp(e.Pass)
					slowFail += weight * math.Exp(l.Fail)
					slowPass += weight * math.Exp(l.Pass)
				})
				name := fmt.Sprint(margin, size, rate)
				require.LessOrEqual(t, fail, 1+rounding, "errors, fail: %s", name)
				require.LessOrEqual(t, slowFail, 1+rounding, "latency, fail: %s", name)
				if edge(2) < 1 {
					require.LessOrEqual(t, pass, 1+rounding, "errors, pass: %s", name)
					require.LessOrEqual(t, slowPass, 1+rounding, "latency, pass: %s", name)
				}
			}
		}
	}
}

// judged returns the evidence of a test of errors, and of one of latency that
// sees the same counts at its only bound.
func judged(t *testing.T, s evidence.Settings, looks []evidence.Look) (e, l evidence.Evidence) {
	errors, err := evidence.NewErrorTest(s)
	require.NoError(t, err)
	latency, err := evidence.NewLatencyTest(make([]evidence.Count, 1), s)
	require.NoError(t, err)
	for _, look := range looks {
		errors.Update(look)
		latency.Update(slow(look))
	}
	return errors.Evidence(), latency.Evidence()
}

func slow(l evidence.Look) evidence.LatencyLook {
	s := evidence.LatencyLook{Step: l.Step}
	s.Canary.Total, s.Baseline.Total = l.Canary.Total, l.Baseline.Total
	s.Canary.Over[0], s.Baseline.Over[0] = l.Canary.Bad, l.Baseline.Bad
	return s
}

// Counts that are rare, on a margin that is mostly absolute: were a pass tempered
// by the events of the look itself, it would expect 1.02 here.
func TestAPassIsTemperedByThePast(t *testing.T) {
	const n, m, p = 3000, 3000, 0.0005
	s := evidence.Settings{Pass: evidence.Margin{Factor: 1.5, Extra: p}, Noise: 1, FirstShare: 1, LookCap: math.Inf(1)}
	s.PassGrid[0] = 0.4
	sum := 0.0
	for x, weight := range binomial(n, p)[:40] {
		test, err := evidence.NewErrorTest(s)
		require.NoError(t, err)
		test.Update(look(x, n, 0, m))
		sum += weight * math.Exp(test.Evidence().Pass)
	}
	require.LessOrEqual(t, sum, 1+rounding)
}

func TestNoTestOfOneArmExpectsMoreThanOne(t *testing.T) {
	s := evidence.Settings{Block: 1, Blocks: 3, FirstShare: 0.6, LookCap: 1.1}
	for _, p := range []float64{0.01, 0.1, 0.5} {
		test, err := evidence.NewSLOTest(1-p, s)
		require.NoError(t, err)
		split, err := evidence.NewTrafficTest(evidence.Settings{Block: 1, Blocks: 3, FirstShare: 0.6})
		require.NoError(t, err)
		var fail, pass, above, below float64
		same := func(int) float64 { return p }
		odds := p / (1 - p)
		most, least := odds*1.1/(1+odds*1.1), odds/1.1/(1+odds/1.1)
		sequences(3, 4, 0, same, same, func(looks []evidence.Look, weight float64) {
			slo := test
			for _, l := range looks {
				slo.Update(l)
			}
			fail += weight * math.Exp(slo.Evidence().Fail)
			pass += weight * math.Exp(slo.Evidence().Pass)
		})
		routed := func(share float64, sum *float64) {
			sequences(3, 4, 0, func(int) float64 { return share }, same, func(looks []evidence.Look, weight float64) {
				traffic := split
				for _, l := range looks {
					traffic.Update(evidence.TrafficLook{Share: p, Canary: l.Canary.Bad, Others: l.Canary.Total - l.Canary.Bad})
				}
				*sum += weight * math.Exp(traffic.LogE())
			})
		}
		routed(most, &above)
		routed(least, &below)
		for name, sum := range map[string]float64{"fail": fail, "pass": pass, "above": above, "below": below} {
			require.LessOrEqual(t, sum, 1+rounding, "%s p=%v", name, p)
		}
	}
}
