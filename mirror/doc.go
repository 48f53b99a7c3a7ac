// Package mirror is for dark launches: the canary gets copies of live requests and its
// answers are dropped, while stable answers the users.
//
// A mirrored request that writes has its effect twice. [Methods], the type of
// routing.Target.Mirror, says which requests are mirrored: by default GET, HEAD and
// OPTIONS only.
//
// [Steps] returns steps of a plan that mirror traffic.
package mirror

import "github.com/serin-go/serin/canary"

// Steps returns one step for each share of requests to mirror. Stable answers all
// requests in these steps. Copies can fail a canary, and pass nothing, so the steps require
// canary.NoFailure where like requires a Pass. All other fields are those of like. If like has a name, each
// step's name is that name followed by the share. If not, the steps have no name, and the
// plan names them after their traffic.
func Steps(like canary.Step, shares ...canary.Weight) []canary.Step {
	steps := make([]canary.Step, len(shares))
	for i, share := range shares {
		steps[i] = like
		steps[i].Traffic = canary.Traffic{Mirror: share}
		if like.Requires == canary.Pass {
			steps[i].Requires = canary.NoFailure
		}
		if like.Name != "" {
			steps[i].Name = like.Name + " " + share.String()
		}
	}
	return steps
}
