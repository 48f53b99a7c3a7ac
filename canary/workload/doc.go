// Package workload implements [canary.Workload] for Deployments: it says whether the
// canary is ready, promotes stable to the canary's version, and restores stable.
//
// # What is written
//
// Each write is one JSON patch of the stable Deployment. Nothing else is written. The
// patch replaces only the fields that differ, and stores their former values in the
// annotation serin-go.github.io/restore. It carries the resourceVersion that was read, so
// a write based on an old reading is a conflict and changes nothing. Fields that this
// library's API types do not know stay as they are. They are not copied from the canary
// either.
//
// # Which version is promoted
//
// Promote copies the version in the spec of the canary Deployment, and only if that
// Deployment is completely rolled out. Pin records the pod templates of both when the rollout
// begins. If the canary's is different later, Promote answers No, and if stable's is, Wait. A
// restart changes no version. An image tag that is pushed again is noticed only if pods of one Deployment run both images
// (see "Restarts and images"). Use digests to prevent that.
//
// # Capacity
//
// A share of the live traffic is given only to a canary that has the ready replicas for it: in
// proportion to those that stable had when the rollout began, or as Config.Capacity says. If
// stable has 30 replicas, a canary with 2 gets 6 % at most, and the reason says what is missing.
// Copies and cohorts need one replica.
//
// # Scaling
//
// With Config.Scaling the rollout scales both versions. Before a share is given, it raises the
// least number of replicas of the canary to what the share needs, and that of stable to what
// stable had when the rollout began. So an autoscaler does not shrink a stable that is idle for
// a while and gets everything back. With Config.Load both follow the load upwards. Scaling
// moves no traffic.
//
// Nothing is scaled down before all traffic is where it ends and the bake time is over, and stable
// has had its traffic for five minutes (Scaling.Keep), so that its autoscaler has seen it. Then
// each object gets back what its owner had there, and an annotation that remembered it is
// removed. What somebody else has set in the meantime stays. A [Floor] is the replicas of a
// Deployment, the minReplicas of a HorizontalPodAutoscaler, or any [Field]. Check refuses a
// HorizontalPodAutoscaler that belongs to another object, such as a ScaledObject of KEDA, and
// says what to do.
//
// # Restarts and images
//
// With Config.Pods, Inspect lists the pods of both Deployments: two lists a turn, answered from
// the API server's cache, of the size that the pods have. If there are thousands, give it the
// cache of an informer. Pods count that a ReplicaSet of the Deployment controls and that are not
// at their end.
//
//   - Restarts of the canary are told if they are more per pod than stable's, and fail it if they
//     are also more than Config.MaxRestarts in all and more than twice stable's per pod. So what
//     hits both arms, such as a database that is away, fails nothing, nor does a node that is
//     rebooted. Sidecars and init containers that restart always count like other containers.
//     Restarts of an older pod are told apart by its last restart, and by what Pin noted of the
//     canary. In doubt those of the canary count as few and those of stable as many. A bad node
//     that has most pods of the canary is not recognized: it looks like a bad canary.
//   - Restarts do not go away by themselves. Behind a point of no return, replace the pods, for
//     example by "kubectl rollout restart", when the cause is mended.
//   - Images are told if pods of one pod template have different digests for the same tag. Digests
//     are compared only if the node shows those of the registry ("repo@sha256:..."). On nodes of
//     several architectures some runtimes show there the digest of the architecture's own image,
//     which is told as a difference. Nothing fails because of images.
//
// What the pods tell is advice. That they cannot be listed, or not within 5 seconds, is told, and
// holds nothing. If no pod of the canary is ready, users leave it before anybody lists pods. If the right to list them is missing, Check warns, and Inspect says it once.
//
// # The record
//
// The annotation holds a record: the Fence of the last call that was acted on, what was
// pinned, and, if that rollout has promoted stable, what stable ran before. Without what was
// pinned Promote answers No: a State that somebody wrote promotes nothing. The record belongs to the
// rollout that its Fence names. A call is refused if its Fence is not newer (see
// [canary.Fence.After]). Any other call stores its own Fence before it answers Yes. A
// call with the same Fence repeats the action. So if somebody changes the version during
// the rollout, the next call changes it back.
//
//   - Promote records what stable runs now, unless the record of this rollout has that
//     already.
//   - Restore restores what the record of this rollout says. It restores nothing from the
//     record of another rollout, and replaces that record.
//
// One guarded write changes the fields and the record together. Therefore the record says
// what was done, even after a crash or a lost answer. If a call with a later Fence has
// acted, a delayed write of an earlier call is a conflict.
//
// "kubectl rollout undo" also restores the annotations of the old revision, and with them
// an older record. In the bake time that is told as a change of stable. If somebody removes the
// record of a promotion, Restore answers No: it cannot know what stable ran before. Any other tool that writes this annotation can bring back an older
// record too.
package workload
