// Package firstrollout has the first rollout of the README as an example, with the fakes.
package firstrollout
