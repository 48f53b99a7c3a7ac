// Package canarytest helps to test what drives rollouts, with the standard library
// only.
//
// [Router], [Judge], [Workload] and [Verifier] are test doubles: they keep everything in
// memory, answer by scripts and have hooks for faults. Give them to a canary.Runner to
// test your own plans, observers and controllers. Package fake has a whole simulated
// mesh.
//
// [TestRouter] checks that a Router of your own keeps the contract of canary.Router.
package canarytest
