// Package canary decides what a rollout does next, and does it.
//
// A [Plan] is a rollout decided beforehand: steps with their traffic, holds,
// gates and deadlines, and an end. The engine is a pure function of the plan, the
// [State] and what was observed. A [Runner] observes, lets it decide, and writes;
// [Runner.Turn] is one look and at most one change, for a controller, and
// [Runner.Run] takes turns to the end, for a command.
//
// # The life of a rollout
//
//	Idle -> Preparing -> Progressing (-> Retreating -> Progressing)
//	  stay:           -> CompletingShift -> Baking -> CleaningUp -> Promoted
//	  promote stable: -> CompletingShift -> PromotingStable -> Returning -> Baking -> CleaningUp -> Promoted
//	  discard:        -> Returning -> CleaningUp -> Discarded
//	any of these -> RollingBack -> CleaningUp -> RolledBack
//	PromotingStable, Returning, Baking of a promoted stable -> RestoringStable -> RollingBack
//
// A phase that has nothing to do is left out: CompletingShift if the last step
// gave the canary everything, Baking without a bake time, CleaningUp without header
// routes and a Prerequisite that is not needed any more.
//
// Being paused, and waiting for a verdict, a gate or capacity, are no phases but
// reasons to stay, told in words by [Event.Reason]. While a step waits for
// whatever it is, a failing judge still rolls back.
//
// # What holds
//
// The [Router] keeps the State in the object that steers the traffic and writes
// both in one atomic step, only if nobody else has written since. Therefore a
// crash between the two does not exist, any number of processes may drive one
// rollout without a lock or a leader, and a difference between the traffic seen
// and the traffic of the State is always somebody else's change.
//
//   - The steps are entered in order, each once, and only when the step before
//     was seen, held, judged and let through, and the canary is ready.
//   - After a roll back stable has all traffic and nothing is mirrored. Stable
//     gets traffic only when it is whole, on its old version or on the new one.
//   - A final phase is left by the command Retry only.
//   - From every State, whether it can be read or not, an Abort leads to stable only.
//     Any driver of the rollout's owner obeys it, whatever its plan, and any driver
//     at all if a person writes it on the object ([Reading].Abort).
//   - A part that errs, hangs until its time is over or panics keeps no turn from
//     its decision. While users are on the canary, Run goes on whatever is refused.
//   - What cannot be found out (no data, no answer, an error) holds the rollout,
//     and rolls back only where the plan says so: by a deadline, or by a limit of
//     errors in a row.
//
// This holds under the assumptions that Builder.Settle and Builder.ScrapeLag
// state, and as long as only this library writes the State. A State that
// somebody removed is put back by a Runner that knew it; what that Runner
// remembers may be one look older.
//
// # Time
//
// A Runner takes the time from time.Now, so a test moves it with testing/synctest.
package canary
