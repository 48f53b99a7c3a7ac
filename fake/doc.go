// Package fake is a service mesh without a cluster, for tests.
//
// A [Mesh] reads its objects from an apiserver.Server and routes requests by
// them as Istio does: hosts, gateways, match blocks, rule order, weights,
// mirrors, redirects, direct responses, injected aborts, delegates, subsets.
// Requests are sent with [Mesh.Send] and [Mesh.Load] in virtual time (a
// testing/synctest bubble). It counts as Istio's proxies do, and plays the
// Deployment controller: a change of an image takes time, and can fail.
//
// Everything is decided by the seed: same seed, same run.
//
// # What it does not simulate
//
//   - Objects: ServiceEntry, Sidecar, WorkloadEntry, EndpointSlice, ReplicaSet,
//     the Gateway API, tcp and tls rules, Services without a selector. A Gateway's
//     selector, TLS settings and port are not looked at.
//   - The root namespace: a DestinationRule is looked up in the namespace of the
//     client, then in that of the service.
//   - Policies of a DestinationRule (load balancing, connection pools, outlier
//     detection, TLS): each ready pod gets an equal share. Locality and warm-up.
//   - Retries, timeouts, delays by fault injection, CORS. Istio retries 503 of
//     flag UF twice by default; here each request is tried once.
//   - Rewrites and headers of rules for requests that are sent by Send and Load.
//   - REGISTRY_ONLY and ALLOW_ANY: a host that nobody knows is 404 NR.
//   - Ambient mode and waypoints, TCP and gRPC metrics.
//   - One proxy per pod: a workload has one series for each outcome, as if all
//     its pods were scraped as one.
//   - Kubernetes beyond Deployments: no ReplicaSets and no Pod objects are
//     written, pods that end are gone at once and in the middle of nothing, and a
//     paused Deployment does not scale. Pod objects that are there serve beside
//     the Deployments' pods, if they are ready.
//   - Queues: latency does not grow with load.
package fake
