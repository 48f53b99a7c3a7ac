// Package workload implements [canary.Workload] for Deployments: is the canary
// ready, bring stable to the canary's version, bring it back.
//
// # What is written
//
// One JSON patch per write, on the stable Deployment alone. It replaces only
// the fields that differ, stores in the annotation serin-go.github.io/restore
// what they were before, and carries the resourceVersion that was read, so that
// a stale write is a conflict and changes nothing. Fields that no type of this
// library knows stay as they are; they are also not copied.
//
// # Which version is promoted
//
// Promote takes what the spec of the canary Deployment names, and only when that
// Deployment is wholly rolled out. The first write of a rollout notes the
// canary's pod template; if the template is another one later, Promote answers
// No. Between the last verdict and that first write nobody looks: name the
// version in Config.Images to close this gap too. An image tag that is pushed
// again is beyond what can be seen; digests are not.
//
// # The rule of the record
//
// The annotation holds a record: the greatest serial that was acted on, and,
// while it is open, what stable ran before. Every accepted call leaves its
// serial there before it answers, and a call with a smaller serial is refused.
//
//   - Promote opens the record with what stable runs now, if it is not open for
//     this rollout already; if it is, the record keeps what it has.
//   - Restore puts back what a record open for this rollout holds, and closes it
//     in the same write. A record left open by an earlier rollout is closed and
//     nothing is put back.
//   - A call whose serial is the record's, but whose rollout is not, is refused.
//
// Since both the fields and the record change in one guarded write, a crash or a
// lost answer at any point leaves a record that says what was done, and a write
// still on its way when a later serial has acted is a conflict.
//
// kubectl rollout undo brings back the annotations of the revision too, and so
// an older record; so does whatever else writes this annotation.
package workload
