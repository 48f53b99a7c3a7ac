// Package canary carries out progressive rollouts: a new version of a service gets traffic
// step by step, and loses all of it as soon as it does worse than the old version.
//
// # A rollout
//
// A [Plan] says what is to happen: steps with their traffic, holds, gates and deadlines,
// and an end. [NewPlan] builds one, and [Recommended] begins one with safe defaults.
//
// A [Runner] carries the plan out. [Runner.Run] runs to the end, for a command.
// [Runner.Turn] takes one look and makes at most one change, for a controller. Both need
// a [Router], which sets the traffic (package routing has the one for Istio), and usually
// an analysis.Analyzer, which judges the canary (package analysis/sequential), and a
// [Workload], which knows the pods (package canary/workload). Package canary/release
// makes these three from the names of a service and its versions.
//
// [Send] gives an order to a rollout from any process: order.Abort rolls back. Observers
// receive an [Event] for each turn, with the [Reason] why the rollout waits.
// [Plan.Status] says where a rollout is and what it waits for.
//
// Package canary/canarytest and package fake have what tests of rollouts need.
//
// # Words
//
//   - Stable is the version that all users had before the rollout. The canary is the new
//     version. A baseline is a fresh copy of stable, to compare the canary with.
//   - A weight is a share of the live requests. A mirrored request is answered by stable,
//     and a copy of it goes to the canary.
//   - A step is a division of the traffic. Its hold is the least time that it lasts, its
//     deadline the longest.
//   - A verdict is what the judge says of the canary: Pass, Fail, Inconclusive, or Blind
//     if the judge has seen nothing that could have shown harm.
//   - A gate keeps a step closed until a person or a function opens it.
//   - To promote stable is to update the stable workload to the canary's version. To roll
//     back is to return all traffic to stable because of a failure or an Abort. To discard
//     is to return it as planned.
//   - A phase is where a rollout is in its life (package canary/phase). A cause is why it
//     waits or moves (package canary/cause).
//   - Drift is a change of the traffic that no driver of the rollout made.
//   - A retreat gives stable all traffic for a while, without ending the rollout: the canary
//     has no ready pod, the judge has no readings (Builder.BlindLimit), nobody drives the
//     rollout (Sweep), or a person orders order.StepBack. The step resumes when the cause has
//     been gone for a minute, doubled each time, at most three times in 24 hours, or by
//     order.Resume. If only the canary's readings are missing, it resumes by order only.
//     Without a ready pod the rollout rolls back after ten minutes, otherwise after the pause
//     limit, 24 hours by default.
//     Traffic goes back to stable in proportion to the ready pods that stable has, measured by
//     those of when the rollout began, and within five minutes in any case. A promoted stable
//     may get it in steps instead, each held for a while (Builder.ReturnInSteps).
//   - Behind a point of no return (Step.NoReturn) only an order takes users from the canary.
//   - To verify is to see in what the proxies do that they route as written. A canary is quiet
//     when no proxy sends it live requests any more.
//   - A revision supersedes an earlier one of the same plan and owner that is under way: that
//     one is rolled back first.
//   - A driver is a process with a Runner. An owner is the tool that drivers belong to.
//   - A header route leads requests with a header to the version that they choose.
//   - A prerequisite is an object that the traffic needs, such as a subset.
//   - A fencing token is a number that grows, by which a Workload rejects old decisions.
//
// # Guarantees
//
// The Router keeps the [State] in the object that steers the traffic. It writes both in
// one atomic write, and only if nobody else has written since. Therefore no crash can
// separate them, any number of processes may drive one rollout without a lock or a
// leader, and a difference between the traffic that is read and the traffic of the State
// is always somebody else's change.
//
//   - The steps are entered in order, each once. A step is entered when the traffic of the
//     step before was seen, its hold is over, the judge has given the verdict that it
//     requires, its gates are open, and the canary is ready.
//   - After a rollback stable has all traffic, and nothing is mirrored. Traffic never goes
//     to a stable workload that is between two versions, unless the canary has no ready pod
//     or fails while stable cannot be restored.
//   - On the way back stable gets no more than its ready pods carry, but a share of the rest
//     that grows with the time, and within five minutes everything. In a return in steps this
//     holds for each share: stable gets no more before its hold is over. A canary without a ready
//     pod gives everything at once, and so do Sweep and Config.AtStop. A stable without a
//     ready pod gets nothing while the canary has one.
//   - With a Config.Verifier a rollout is over when the mesh was seen to do its last traffic.
//     If nobody can tell for the error limit, its reason says "not seen quiet".
//   - What is promoted is the version that was pinned on stable when the rollout began. A
//     canary or a stable that becomes another version is noticed in the same turn.
//   - A failing judge rolls back at any time in a step, whatever else the step waits for.
//   - Before a point of no return, users do not stay on a canary that cannot answer or that
//     nobody can judge: stable gets all traffic in the turn in which the canary has no ready
//     pod, and after the blind limit what its pods carry, and the rest within five minutes.
//   - From every State, even one that cannot be decoded, an Abort leads to stable. Each
//     driver of the owner obeys it, whatever its plan. An Abort by annotation
//     (Reading.Abort) is obeyed by every driver.
//   - A part that returns an error, panics, or hangs until the context of its call ends does
//     not end Run while users are on the canary, and does not keep the engine from its decision.
//   - Missing data, a missing answer and an error make the rollout wait. They roll back
//     where the plan says so: by a deadline, the error limit or the pause limit.
//   - The clocks of drivers may differ. No wait ends more than a minute early because of a clock
//     that a write of another driver contradicts. The Reason of an Event tells the difference.
//     A driver that starts while users are on the canary, and finds the last write minutes old,
//     does not count that time before it has written what its clock shows, and no other driver
//     has objected for two intervals and the limit of a call.
//   - Only the order Retry leaves a final phase.
//
// The assumptions: Settle and ScrapeLag are long enough (see [Builder]), only this library
// writes the State, and the clock of at least one driver is that of the metric store. If the
// only driver's clock is ahead of the store, the judge has no readings, and stable gets all
// traffic. If it is behind, the judge counts requests from before a step. Processes that take
// one turn each have no memory: use them with synchronized clocks. A Runner that has seen the
// rollout restores a State that somebody removed, as of the Runner's last turn.
//
// # The engine
//
// The engine is a pure function: plan, State and observation make the next State and a
// decision. It asks for what it needs, one question at a time. A Runner takes the time
// from time.Now, so tests control it with testing/synctest.
package canary
