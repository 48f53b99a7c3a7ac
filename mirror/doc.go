// Package mirror is for dark launches: the canary gets copies of live requests
// and its answers are dropped, while stable answers the users.
//
// A copy of a request that writes does its work twice. [Methods], an option of
// routing.Target, says which requests are copied; by default those that only read.
//
// [Steps] makes steps of a plan that mirror.
package mirror

import "github.com/serin-go/serin/canary"

// Steps returns one step for each share of requests to copy, otherwise like the
// given step. Stable answers everything in them. If like has a name, each step's
// name gets the share behind it; if not, the traffic in words is the name.
func Steps(like canary.Step, shares ...canary.Weight) []canary.Step {
	steps := make([]canary.Step, len(shares))
	for i, share := range shares {
		steps[i] = like
		steps[i].Traffic = canary.Traffic{Mirror: share}
		if like.Name != "" {
			steps[i].Name = like.Name + " " + share.String()
		}
	}
	return steps
}
