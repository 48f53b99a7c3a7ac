// Package sequential has a judge with a guarantee: a [Judge] may be asked as often as you
// like, and still fails a healthy canary with a probability of at most 5 % over the whole
// rollout.
//
//	config.Analyzer = sequential.Judge{
//		Provider: counts, // metrics/prometheus
//		Canary:   metrics.Arm{Namespace: "shop", Workload: "shop-v2"},
//		Baseline: metrics.Arm{Namespace: "shop", Workload: "shop-v1"},
//	}
//
// Without Metrics it has [Defaults]: the canary must be as good as stable in server errors and in
// latency, and fails if it has far more client errors than stable (twice as many, and five points
// of a hundred requests more). Calls of gRPC count by their own status. A mesh whose proxies keep
// no histograms needs Metrics without [Latency]. A canary that users cannot reach is failed as well
// ([Reach]).
//
// # The guarantee
//
// A usual test at 5 % that is asked once a minute for an hour fails three of ten healthy
// canaries. A Judge uses sequential tests instead: their evidence against a healthy canary
// exceeds 1/Alpha at any time during the rollout with a probability of at most Alpha
// (Ville's inequality). So the Judge may be asked after every look.
//
// Each metric has two margins. A healthy canary keeps the Fail margin: by default at most
// 1.05 times the baseline's rate of bad requests. It is failed with a probability of at
// most Alpha, 5 %. A bad canary does not keep the Pass margin: by default 1.5 times the
// baseline's rate plus 0.5 % of the requests. It passes with a probability of at most
// Beta, 5 %. Between the margins a canary may do either, or neither for a long time.
// In simulations 0 to 2.3 % of the healthy canaries fail.
//
// A pass means that the canary has not been as bad as the Pass margin so far. What no
// metric counts is not judged.
//
// # Margins
//
// The Fail margin is the worst canary that you would not roll back, the Pass margin the
// best one that you would not promote. Keep a distance between the two: a canary on both
// never gets a verdict. To accept at most half more errors, set Pass.Factor to 1.5.
// Pass.Extra is what lets a canary pass that has no errors at all: it needs about 4.5/Extra
// requests for that, 890 with 0.005 (1 in 200), the default, and 8 900 with 0.0005.
//
// Requests to the canary until half of the good canaries have passed, with 5 % of the
// traffic, by the error rate of both versions:
//
//	Pass margin        none    0.01 %     0.1 %       1 %       5 %
//	1.5 + 0.005         890       920     1,200     1,540       700
//	1.5 + 0.0005      8,900    11,900    15,400     4,100       970
//	1.5 + 0.002       2,200     2,400     3,600     2,600       860
//	2   + 0.0005      8,900    10,800     7,700     1,500       310
//	1.2 + 0.0001     44,600   107,000   119,000    28,600     6,000
//	1.5 + 0               -   507,000    50,700     5,100     1,000
//
// Requests to the canary until half of the bad canaries have failed (Fail margin 1.05), by
// the baseline's error rate and how many times worse the canary is:
//
//	rate      x 1.2     x 1.5     x 2      x 3    x 10
//	0.1 %   507,000    54,000  13,400    3,800     360
//	1 %      50,700     5,400   1,300      380   3 looks
//
// If the baseline has no more traffic than the canary, the canary needs about twice as many
// requests.
//
// # Hold times
//
// A step lasts about the requests of the table divided by the canary's requests a second, and at
// least three looks: no evidence is trusted sooner, however many requests there are.
// At 10 requests a second and 0.1 % errors a pass takes 1,200/10 s = 2 minutes, a doubled
// error rate is found in 22 minutes, and a tenfold rate in 75 seconds. A pass in less time than a
// doubled rate takes to be found says that the rate is below 1.5 times stable's plus 0.5 %: a
// doubling from 0.1 to 0.2 % is within that. Steps of two minutes at one request a second find
// disasters only (ten times the errors in 8 minutes) and pass nothing. Then, in this order: hold longer, give the canary more traffic, or accept a
// greater Extra.
//
// # Alpha and Beta
//
// Alpha is the share of healthy releases that are rolled back, at worst. With 20 releases a
// month, 5 % is one a month at worst, and less than two a year in simulations. With 1 % a bad
// canary is found after about 1.4 times as many requests. Beta is the share of releases as
// bad as the Pass margin that pass, at worst.
//
// # What breaks the guarantee
//
// The guarantee is about the chance of single requests. What only one version meets (a bad
// node below the only canary pod, garbage collection, a cold cache) looks like the fault of
// that version. Noise of the canary alone makes the default fail 5.2 % of the healthy
// canaries (30 % noise that changes each minute, 1000 requests a second), 11.8 % (60 %, 100
// requests a second) or 8.7 % (20 % noise that persists, autocorrelation 0.9). With Strict
// these are 1.1, 5.8 and 1.3 %. What helps, in this order: more pods in the canary, a
// baseline of the same size, Strict.
//
//   - Retries that are counted, or both reporters summed: set EventsPerCause. Without it 1.6
//     % of the healthy canaries fail if each error is counted twice, and 3.6 % if it is
//     counted four times.
//   - Routing by session or connection: set EventsPerCause to the requests of a session, and
//     IgnoreSplit.
//   - Routing by header compares different users, and no setting corrects that.
//   - Mirroring: only the destination reports copies. The Judge asks it then, and does not
//     test how the requests are divided. Copies are of other requests than stable has, so they
//     fail a canary by a wide margin only, and pass nothing; see AllCopied.
//   - A canary that starts cold: set Warmup to one or two looks. Nobody looks at them.
//   - Arms that are read at different moments, as by Destination with long scrape intervals: looks
//     wait for both, but a burst may still count for one arm earlier than for the other. Count at
//     the source, with looks of a scrape interval or more.
//   - A canary that hurts stable as much as itself is no worse. Stable, and the Neighbours, are
//     compared with the hour before the rollout for that; what is usual by day and not by night
//     looks like harm there. The rollout retreats and asks people; it does not fail the canary.
//   - Gauges whose values persist (autocorrelation 0.95): 4 % of the healthy canaries fail
//     with a tolerance of 10 %, 9 to 14 % without.
//
// Bursts, drifts and failing dependencies that both versions meet fail no healthy canary, as long
// as requests are routed one by one at random, and both arms are read at the same moments.
//
// # How it works
//
// The Judge cuts the rollout into looks and counts both arms in each. For each metric it
// multiplies likelihood ratios into evidence for a fail and for a pass, over a grid of
// effects and starting times. It compares how the bad requests are divided, so a change that
// hits both versions is no evidence. The evidence for a fail is the weighted mean of all
// metrics, and a pass needs every metric. A further test holds the division of the requests
// against the planned one; if they differ, the verdict is Blind. The evidence depends only
// on the counts, so any process computes the same bits. The formulas, with their sources,
// are in internal/evidence/doc.go.
package sequential
