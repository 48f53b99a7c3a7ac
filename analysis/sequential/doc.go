// Package sequential holds the statistics of a canary's verdict: evidence that
// may be looked at as often as one likes.
//
// It is arithmetic alone: counts come in, evidence and verdicts go out. Nothing
// is read, no clock is asked, and an update allocates nothing.
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
// A [Margin] says how bad the canary may be: p_c <= rho p_b + delta. For a
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
// evidence for what is no chance of single requests: Phi for events that come in
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
//
// # 9. How to choose
//
// Margins. Two of them, on purpose. Fail is the worst that is no reason to roll
// back, Pass the least that is too bad to promote; between them the canary is
// watched until its time is over. With a single margin, a canary on it never
// ends. How many more requests a pass takes at the rates so far, each test's Need
// says. Whoever says "at most half more errors" sets Pass.Rho = 1.5. Delta is what
// lets a canary pass without a single error: it takes about 4.5/delta canary
// requests, with Delta = 0.0005 (1 in 2000) 8,900. Canary requests until half of
// the canaries pass, with 5 % of the traffic, by error rates of both arms:
//
//	Pass margin        none    0.01 %     0.1 %       1 %       5 %
//	1.5 + 0.0005      8,900    11,900    15,400     4,100       970
//	1.5 + 0.002       2,200     2,400     3,600     2,600       860
//	2   + 0.0005      8,900    10,800     7,700     1,500       310
//	1.2 + 0.0001     44,600   107,000   119,000    28,600     6,000
//	1.5 + 0               -   507,000    50,700     5,100     1,000
//
// and until half of the bad ones fail (margin 1.05), by the baseline's rate:
//
//	rate      x 1.2     x 1.5     x 2      x 3    x 10
//	0.1 %   507,000    54,000  13,400    3,800     360
//	1 %      50,700     5,400   1,300      380   3 looks
//
// A canary of the same size as the baseline needs about twice as many requests of
// its own, but has them so much sooner.
//
// Hold times. Divide these numbers by the canary's requests a second. At 10 a
// second and 0.1 % errors, a pass takes 15,400/10 s = 26 minutes (20 in
// simulations), a doubled error rate 22 minutes, a tenfold one 75 seconds. A plan
// of steps of 2 minutes at 1 request a second can only find disasters (ten times
// the errors: 8 minutes) and passes nothing: give the steps a longer minimum time,
// a larger weight, or a wider Delta, in this order of preference. A step's time is
// for reaching Pass; Fail comes when it comes.
//
// Alpha is the share of healthy releases that are rolled back, at worst: with 20
// releases a month and 5 %, one a month; in simulations it is less than two a year.
// 1 % takes about 1.4 times as many requests to find a bad one (ln 100 for ln 20).
// Beta is the share of releases as bad as the Pass margin that pass, at worst.
// [Strict] is for arms that differ by nature.
//
// Weights. With FailWeights {1, 1.5, 2, 1, 1, 1, .4, .1} a doubled error rate is
// found in 19.5 minutes in place of 22, after 27 bad requests in place of 31. But
// noise of one arm alone then fails some more healthy canaries (9.2 % in place of
// 8.7 in the worst case below), so they are not the default. Latency has such
// weights: slower by a tenth at 1 request a second is found in 23 minutes in place
// of 26, and no more healthy canaries fail.
//
// # 10. What breaks the promise
//
// Promised is chance of requests; what is due to one arm's surroundings and not to
// its version (a bad node below the only canary pod, garbage collection, a cold
// cache) is real, and looks like the version's fault. Noise of the canary alone,
// changing each minute, makes the default roll back 5.2 % of the healthy canaries
// (30 % noise, 1000 requests a second), 11.8 % (60 %, 100 a second), or 8.7 %
// (20 % noise that persists, autocorrelation 0.9); [Strict] 1.1, 5.8 and 1.3 %.
// With as much noise in the baseline, the first two are 30 and 74 %.
// Remedies, in this order: more pods in the canary, a baseline of equal size, and
// Strict. A lasting difference between the arms is met by the margin alone.
//
//   - Retries, or both reporters summed: several events have one cause. Set Phi to
//     the most that have (1 + retries; 2), which is exact. Counted twice without
//     it: 1.6 %, four times: 3.6 % are rolled back.
//   - Routing by session or connection: set Phi to the requests of a session, and
//     leave the traffic split out. Routing by header compares different users:
//     nothing helps.
//   - Mirroring: the copies are reported at the destination only. Errors are judged
//     rightly, the split is not: leave it out.
//   - The looks right after a change: leave out the first after a change of
//     weight, and one or two of a cold canary.
//   - Bursts, drifts and failing dependencies that hit both arms break nothing, as
//     long as requests are routed one by one at random.
//   - Gauges that persist (autocorrelation 0.95): 4 % with a tolerance of 10 %, 9 to
//     14 % without.
//
// A pass says that the canary was not as bad as the margin so far, not that it is
// good; and what no metric counts is not judged.
package sequential
