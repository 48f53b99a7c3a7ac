// Package fake is a service mesh without a cluster, for tests.
//
// A [Mesh] reads its objects from an apiserver.Server and routes requests by
// them as Istio does: hosts, gateways, match blocks, rule order, weights,
// mirrors, redirects, direct responses, injected aborts, delegates, subsets, and
// who sees which object. For generated objects that is compared with what a real
// istiod tells Envoy.
//
// Requests are sent with [Mesh.Send] and [Mesh.Load] in virtual time (a
// testing/synctest bubble), or are real ones that enter by [Mesh.Entry] and are
// answered by real handlers ([Mesh.Handle]). What Istio's proxies would count is
// read through the Mesh itself, a metrics.Provider, through [Mesh.Prometheus] or
// as text from [Mesh.Metrics].
//
// The mesh also plays the Deployment controller: a change of an image takes
// time, and can fail. Other faults are those of the data plane: proxies learn of
// changes late, one after the other, or not at all ([Mesh.Stall]), pods stop
// answering ([Mesh.Crash]), counters begin anew ([Mesh.Restart]). Faults of the
// API are injected at the apiserver.Server.
//
// Everything is decided by the seed and by what happens when: same seed, same
// run.
//
// [Judge], [Router] and [Workload] follow scripts, for tests that need no mesh.
//
// # What it does not simulate
//
//   - Objects: ServiceEntry, Sidecar, WorkloadEntry, EndpointSlice, ReplicaSet,
//     the Gateway API, tcp and tls rules, Services without a selector. A Gateway's
//     selector and TLS settings are not looked at: a request enters by the one
//     that it names, and Gateways on one port do not merge. All ports of a Service
//     speak HTTP.
//   - The root namespace: a DestinationRule is looked up in the namespace of the
//     client, then in that of the service.
//   - Policies and the workload selector of a DestinationRule (load balancing,
//     connection pools, outlier detection, TLS): each ready pod gets an equal
//     share. Locality and warm-up.
//   - Claims of tokens in match blocks. Paths are matched as they are sent; proxies
//     first take out what is superfluous in them.
//   - Retries, timeouts, delays by fault injection, CORS, rewrites, headers that a
//     rule sets or removes. Istio retries a request that cannot reach its pod
//     (flag UF) twice by default; here each request is tried once.
//   - REGISTRY_ONLY and ALLOW_ANY: a host that nobody knows is 404 NR.
//   - Ambient mode and waypoints, TCP and gRPC metrics.
//   - One proxy per pod: a workload has one series for each outcome, as if all
//     its pods were scraped as one, and new pods do not begin new series.
//   - Kubernetes beyond Deployments: no ReplicaSets and no Pod objects are
//     written, pods that end answer as long as proxies know them, and a paused
//     Deployment does not scale. Pod objects that are there serve beside the
//     Deployments' pods, if they are ready.
//   - Queues: latency does not grow with load, and nobody waits for a duration
//     that was drawn: it is only counted.
package fake
