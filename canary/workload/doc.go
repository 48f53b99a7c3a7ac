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
// The annotation holds a record: the Fence of the last call that was acted on,
// and what stable ran before that rollout's Promote, if it promoted. The record
// belongs to the rollout whose name it bears, and to no other. A call that does
// not come after its Fence is refused; every other leaves its own there before
// it answers Yes. A call of that very Fence does again what was done, so that
// nobody else's change of the version lasts while the rollout does.
//
//   - Promote notes what stable runs now, unless the record is this rollout's
//     and knows it already.
//   - Restore puts back what a record of this rollout knows. It puts nothing
//     back from any other, and empties it.
//
// Since both the fields and the record change in one guarded write, a crash or a
// lost answer at any point leaves a record that says what was done, and a write
// still on its way when a later serial has acted is a conflict.
//
// kubectl rollout undo brings back the annotations of the revision too, and so
// an older record; so does whatever else writes this annotation.
package workload
