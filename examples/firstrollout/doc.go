// Package firstrollout is the first rollout of the README, against the fakes; see
// its example.
package firstrollout
