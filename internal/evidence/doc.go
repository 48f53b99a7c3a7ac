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
// grid of g with weights v(g), and part of it starts afresh with every look, without
// end, as a mixture of starting times (Shin, Ramdas and Rinaldo, arXiv 2203.03532):
//
//	left(0) = 1    left(k) = (1-Share) / (1 + (k-1)/K)    w_k = left(k-1) - left(k)    K = Block Blocks
//	phi  = Phi + tau^2 B ex (1-theta)        ex = e theta + n delta (1-theta)
//	B(g) = S(g) before + v(g) w_k            l(g) = ln L(g) / phi
//	S(g) = min(e^l(g) B(g), e^C max(B(g), v(g)/2))
//	E    = sum over g of S(g) + left(k)
//
// So E never falls below left(k), and a regression is found at any age of a rollout. C is the
// cap: no single look decides, a fail takes three. For a fail it counts from half the stake, so
// that a look can make good for earlier losses: an outage takes three looks whenever it begins.
// For a pass it is e^C B(g). phi tempers the
// evidence for what is no chance of single requests: EventsPerCause for events that come in
// clusters, tau for arms that differ a little from block to block though their
// versions do not. B is the length of a block. tau is at least its setting tau0, at most 0.6, and
// raised by a moment estimate over the last 60 closed blocks. A block adds q x m/N to over and
// q y n/N to under, with q = 1/(Phi + tau0^2 e n m/N^2). The usual ratio is over/under, at most rho:
// what is above is what the test looks for. With that ratio in the place of rho in theta, c blocks:
//
//	v = e theta (1-theta)(1 - e/N)    r = min(|x - e theta|, 0.6 v + 2 sqrt(v Phi))
//	w = (4 tau0^2/(Phi + 4 tau0^2 v))^2
//	tau^2 = (3 tau0^2 + sum w (r^2 - v Phi) c/(c-1)) / (3 + sum w v^2)
//
// No block counts for more than a quiet one with many events does, and none for a difference above
// 60 % and what chance adds, so that a regression does not pass for noise.
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
// # 4a. A canary alone
//
// Where the plan gives the baseline nothing, the canary is compared with what was learnt of it in
// the last hour, y of m ([Allowed]), or before the rollout if both never had requests side by side.
// A look multiplies the same S(g) with
//
//	p0 = min(rho (sqrt(y+1) + 1.2)^2/m + delta, 0.5)    rho and delta: Settings.Alone
//	ln L = x ln g + (n-x)(ln(1 - g p0) - ln(1-p0))      phi = Phi + tau^2 B n p0
//
// It promises the same if a healthy version's rate is at most rho times the baseline's mean of
// that hour plus delta. A pass learns nothing alone.
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
// # 7a. Reach
//
// [ReachTest]. A canary that users cannot reach has no requests of its own. It fails if requests
// are missing from its share and too many requests of the service fail before a pod is chosen, u:
//
//	few:       ln L = n ln g - (n+m) ln(1 + theta0 (g-1))    theta0 at odds o/1.1    g below 1
//	unreached: section 4a for u of n+m+u, p0 = 3 (sqrt(u_b+1)+1.2)^2/N_b + s/10
//	E = min(E_few, E_unreached)
//
// with u_b of N_b before the rollout. It is evidence if either of both is.
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
// time is over and the mean is at most 1.28, so that nothing is in doubt; else Continue. It is one process over the whole rollout, so that
// alpha is spent once and not at every step. A fail is looked for as long as
// looks come in, also after a pass and in the bake time after promotion.
//
// # 9. Sight
//
// What a look says of a canary all of whose requests are bad is the most that it can say. A step
// was looked at well enough when these, at most C each, sum up to ln(K/alpha) + C for one of K metrics ([Sighted]): a
// canary that had failed wholly in it would have failed. 64 nats always suffice. Of J bounds of a
// histogram the one that saw the most may lack ln J: a fail is the mean of their E.
//
// # 10. Forecasts
//
// A usual look of n canary requests adds mu = n growth/phi to the evidence for a pass, with the
// variance n (p_c (ln g - ln(1+d))^2 + R p_b ln(1+d)^2)/phi^2 ([Settings.PassPace]). Over looks
// with the sums M and V the chance to gain a nats is that of a Brownian motion ([Chance]):
//
//	Phi((M-a)/sqrt V) + exp(2 M a/V) Phi((-M-a)/sqrt V)
//
// [Looks.Chance] adds T/(6 V^3/2) (z^2-1) phi(z), z = (a-M)/sqrt V, for the sum T of the third moments
// n (p_c (ln g - ln(1+d))^3 - R p_b ln(1+d)^3)/phi^3. If looks have n requests on average only, mu is
// multiplied by E[xy/(rho x + y)] (rho n + m)/nm for Poisson x and y ([Margin.Thin]).
//
// For a fail p_c is the rate of a bad canary, growth and phi are those of the Fail margin, and about
// max(a/mu, a/C) looks pass ([Settings.FailPace]). Against a constant growth is that of section 3, and the
// variance n p (1-p) (ln g - ln(1-g p0) + ln(1-p0))^2/phi^2 ([Settings.ConstantPass], [Settings.ConstantFail]). Of latency (section 4) the variance is twice mu phi,
// over phi^2 ([Settings.LatencyPass]).
//
// State is a function of the looks: a test that is carried along, copied, or
// rebuilt from the counts of all looks has the same bits (on one processor
// architecture). Counts are increments of raw counters with resets accounted for,
// not rates, and not the extrapolation of Prometheus' increase.
package evidence
