// Package evidence is the statistics of package analysis/sequential: evidence against a
// canary, and for it, that may be looked at after every look.
//
// It is arithmetic: counts come in, evidence and verdicts go out. It reads no store and no
// clock, and an update allocates nothing. In the formulas rho and delta are Factor and
// Extra of a [Margin]; Phi, tau, B, C and Share are EventsPerCause, Noise, Block, LookCap
// and FirstShare of the [Settings].
//
// # 1. What is promised
//
// A usual test, asked again and again, fails a healthy canary sooner or later: at
// 5 %, looked at each minute for an hour, three of ten. Here a test carries its
// evidence E along, a number that starts at 1 and of which one thing is known: as
// long as the canary keeps its margin, no look makes E greater on the average,
// whatever was seen before. Such a number hardly ever becomes large by chance
// (Ville, 1939):
//
//	P(E reaches 1/alpha at any look) <= alpha
//
// So a canary fails when E reaches 1/alpha, 20 for 5 %, at whatever look this
// happens; looking more often costs nothing. Read E as a bet: somebody bets
// against the canary's health, at fair odds or worse, and has turned 1 into 20.
// There is a second such number for a pass, on the opposite claim. As long as
// neither is large enough, the answer is to go on. Tests return the natural
// logarithm of E: 3.0 is 20, 4.6 is 100, 6.9 is 1000.
//
// In short: with the defaults a healthy canary is rolled back with a probability
// of at most 5 % over its whole rollout. In simulations it is 0 to 0.7 %.
//
// # 2. Errors against the baseline
//
// [ErrorTest]. In a look the canary has x bad requests of n, the baseline y of m.
// A [Margin] says how bad the canary may be: p_c <= rho p_b + delta, with rho its Factor and delta its Extra. For a
// multiplier g, above 1 for a fail and below 1 for a pass,
//
//	theta = rho n / (rho n + m)    d = theta (g-1)    a-1 = (g-1)(1-theta)/(1+d)
//	ln L  = x ln g - (x+y) ln(1+d) - n delta (a-1)
//
// is what the look multiplies E with ([LogSplit]). In words: of the x+y bad
// requests, theta is the share that the canary would have on the margin; the
// evidence is how much better "g times these odds" explains its share. How large
// the error rate is, whether it drifts, and whether the weight changes play no
// part: both arms degrading together is no evidence. With a being above 1,
// E(a^x b^y) <= exp(n p_c (a-1) + m p_b (b-1)) and n rho (a-1) + m (b-1) = 0 give
// an expectation of at most 1 on the margin and within (for a pass the signs
// turn); see Turner and Grünwald, arXiv 2203.09785.
//
// Nobody knows g, nor when a regression begins. So evidence is the mean over a
// grid of g with weights v(g), and part of it starts afresh in every block of looks
// (a minute, and each step of the plan), as a mixture of starting times (Shin,
// Ramdas and Rinaldo, arXiv 2203.03532):
//
//	phi  = Phi + tau^2 B ex (1-theta)        ex = e theta + n delta (1-theta)
//	l(g) = min(ln L(g) / phi, C)
//	S(g) = e^l(g) (S(g) before + v(g) w)     w = Share first, then (1-Share)/(Blocks-1) a block
//	E    = sum over g of S(g) + what has not started
//
// C is the cap: no single look decides, a fail takes three. phi tempers the
// evidence for what is no chance of single requests: EventsPerCause for events that come in
// clusters, tau for arms that differ a little from block to block though their
// versions do not. B is the length of a block. tau is at least its setting, and
// raised by the moment estimate over closed blocks around the Mantel-Haenszel
// ratio, with r = x - e theta, v = e theta (1-theta)(1 - e/N) and theta at that
// ratio, c blocks:
//
//	tau^2 = (3 tau0^2 + c sum(r^2 - v Phi)/sum(v^2) c/(c-1)) / (3 + c)
//
// The events e are those of the look itself for a fail, since the evidence lies
// in how they are divided and not in how many there are; for a pass, whose margin
// is mostly delta, they are what the past lets expect. Exactness: with requests
// that are independent, tempered or not, expectations are at most 1 while errors
// are rare. For a fail with rho above 1 where more than half of the requests are
// bad, tempering may exceed it by some 0.0001 a look; use [LatencyTest], which is
// exact for frequent events and finds them sooner, when more than a tenth are.
//
// Shown to people is the ratio of both rates with its interval ([Ratio]): those r
// that no mixture of others beats by 1/alpha, at any look, in
//
//	lnL(r) = sum over looks of x ln r - (x+y) ln(r n + m)
//
// Where the noise is all in the canary and has gamma distribution, [LogBlock] is
// exact for closed blocks.
//
// # 3. Errors against a constant
//
// [SLOTest]. With p0 = rho (1-objective) + delta allowed,
//
//	ln L = x ln g + (n-x)(ln(1 - g p0) - ln(1-p0))       phi = Phi + tau^2 B n p0
//
// and the rest as in section 2, without an estimate of tau. If the baseline
// misses the objective as well, a fail is not the canary's fault: compare with
// the baseline for a roll back, and report the objective or require both.
//
// # 4. Latency against the baseline
//
// [LatencyTest]. For each bound of a histogram, being slower than it is the bad
// event. Nothing is interpolated, and quantiles are not compared. Such events are
// not rare, so the factor ([LogProjection]) is that of two binomials: the
// baseline's rate tb is guessed from the past, the canary's tc has g times the
// odds of the margin's rate q = rho tb + delta, and (c0, b0) is the point on the
// margin that is nearest to the guess,
//
//	n rho (tc-c0)/(c0(1-c0)) + m (tb-b0)/(b0(1-b0)) = 0       c0 = rho b0 + delta
//	ln L = x ln(tc/c0) + (n-x) ln((1-tc)/(1-c0)) + y ln(tb/b0) + (m-y) ln((1-tb)/(1-b0))
//	phi  = Phi + tau^2 B q (1-q) n m/(n+m)
//
// A wrong guess costs time, not validity: ln E(L) is concave in both rates and
// its gradient at (c0, b0) points out of the margin. A fail is the mean of E over
// the bounds, a pass needs every bound. Choose bounds before the rollout with
// [UsefulBounds]; one near the median and one near the 95th or 99th percentile
// are worth more than any test. [LogOrder] judges a whole histogram at once if
// the canary shall not be slower at all.
//
// # 5. A latency quantile against a constant
//
// [QuantileTest]. "99 % of the requests take at most T" is section 3 with p0 =
// 1 %. If T lies between two bounds, a fail is judged on the requests above the
// upper one and a pass on those above the lower one: both are on the safe side.
// [QuantileTest.Coarse] reports that neither can decide.
//
// # 6. Measured values against the baseline
//
// [GaugeTest]. Of the logarithms of the ratio canary to baseline, means of B
// looks are taken; with n of them and t their Student statistic from the
// tolerance ln(rho),
//
//	r = g/(g+n)    nu = n-1    g = 0.1
//	ln E = ln(r)/2 + (nu+1)/2 (ln(1 + t^2/nu) - ln(1 + r t^2/nu))
//
// A mean on the wrong side of the tolerance counts as t = 0. With rho1 the lag-1
// autocorrelation plus 1/n, if positive, t^2 and n are multiplied by
// (1-rho1)/(1+rho1). Exact for independent normal batches (Wang and Ramdas, arXiv
// 2310.03722), an approximation otherwise: give it half a weight or none.
//
// # 7. The traffic split
//
// [TrafficTest]. A canary that gets other traffic than planned is not compared
// fairly, and one that gets too little often has endpoints that are ejected or
// not ready. For the planned share s with odds o = s/(1-s) and tolerance rho,
//
//	th0 = rho o/(1 + rho o)    ln L = n ln psi - (n+m) ln(1 + th0 (psi-1))
//
// over a grid of psi above 1, and the same for too little, with o/rho and psi
// below 1. It may say Invalid, never Fail. Without tolerance, a harmless 5.3
// instead of 5.0 % is found within minutes ([LogDirichlet] is that form); with it,
// half the traffic is still seen at the first look of 3000 requests.
//
// # 8. Several metrics, and the verdict
//
// [Judge]. For a fail, the weighted mean of the metrics' E is held against
// 1/alpha. It is evidence however the metrics depend on each other: one bad metric
// among ten has to reach 10/alpha, and several that are bad less. E of metrics is
// never multiplied, since they share requests. For a pass, every metric has to
// reach 1/beta, at whatever look. A latency histogram is one metric. [Standings]
// names culprits: with K metrics one of E >= K/alpha, then among the rest (Holm).
//
// At a look: Fail if the mean reaches 1/alpha, for good; else Invalid while the
// evidence against the split is at least 1000; else Pass, when the step's minimum
// time is over; else Continue. It is one process over the whole rollout, so that
// alpha is spent once and not at every step. A fail is looked for as long as
// looks come in, also after a pass and in the bake time after promotion.
//
// State is a function of the looks: a test that is carried along, copied, or
// rebuilt from the counts of all looks has the same bits (on one processor
// architecture). Counts are increments of raw counters with resets accounted for,
// not rates, and not the extrapolation of Prometheus' increase.
package evidence
