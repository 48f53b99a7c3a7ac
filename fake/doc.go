// Package fake is a simulated service mesh for tests. It needs no cluster.
//
// A [Mesh] reads its objects from an apiserver.Server and routes requests by them as Istio
// does: hosts, gateways, match blocks, rule order, weights, mirrors, redirects, direct
// responses, injected aborts and delays, retries, timeouts, rewrites, header changes,
// delegates, subsets and visibility. An end-to-end test sends the same generated requests
// to this mesh and to an Envoy 1.40 that istiod 1.31 configures, and compares the outcomes.
//
// Envoy rejects some objects that the API server, Istio's webhook and istiod accept, and
// keeps its last routes. The mesh does the same. [Mesh.Refused] names the rules, and
// [Mesh.Refusals] the proxies.
//
// [Mesh.Send] and [Mesh.Load] send simulated requests in virtual time, in a
// testing/synctest bubble. Real requests enter at [Mesh.Entry], and real handlers answer
// them ([Mesh.Handle]). The counters of the proxies can be read in three ways: the Mesh is
// a metrics.Provider, [Mesh.Prometheus] answers queries, and [Mesh.Metrics] writes text.
//
// The mesh also has a Deployment controller: a change of an image takes time, and may
// fail. Faults of the data plane are late or stopped propagation ([Mesh.Stall]),
// unreachable pods ([Mesh.Crash]) and restarted counters ([Mesh.Restart]). The
// apiserver.Server injects faults of the API.
//
// Pods can be scarce. [Mesh.Room] says how many fit on the nodes: further ones stay
// pending. A ResourceQuota with a limit of pods refuses further ones: the Deployment gets
// the condition ReplicaFailure, and the mesh writes the quota's status. [Mesh.Evict] makes
// pods vanish. Pods with a [Behaviour].Capacity answer 503 to what is too much for them.
//
// # Autoscalers
//
// HorizontalPodAutoscalers (autoscaling/v2) scale Deployments by the controller's rules of
// Kubernetes 1.36. Each looks every 15 s, for the first time 15 to 16.5 s after it was
// created. It wants ceil(ready pods * measured/target) replicas. It does nothing within 10 %
// of the target or at 0 replicas, and keeps to minReplicas and maxReplicas. Pods that are
// not ready count as idle if more are wanted. Without a behavior, the highest recommendation
// of the last five minutes counts, and at most max(4, twice as many) replicas are asked for
// at once. A behavior's windows, policies, selectPolicy and tolerance are respected. Two
// autoscalers of one Deployment measure nothing, but both keep it within their bounds.
//
// Two metrics can be measured, by the requests of the last minute that the Deployment's
// pods received, mirrored ones and retries included: the Pods metric
// http_requests_per_second, with an averageValue; and the Resource metric cpu, with an
// averageUtilization, of which Behaviour.Capacity is 100 %. Any other metric fails, and is
// reported as such in the status. The status is written at each look: replicas, metrics,
// lastScaleTime and conditions.
//
// The seed and the order of events decide everything: the same seed gives the same run.
//
// Package canarytest has test doubles for tests that need no mesh.
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
//   - Retries: the time between two tries, conditions on gRPC, HTTP/2 and headers
//     of an answer, headers by which a client asks for retries, and the retries of
//     the pods' own proxies. More than 100 count as 100. Simulated requests that
//     failed on the same pods share one average waiting time; beyond 32 such groups,
//     so do those that failed on equally many pods.
//   - Timeouts run from the moment at which a request is sent on. Envoy's begin when
//     its body has arrived.
//   - Headers: CORS, commands in values but for REQ, RESP, PROTOCOL, RESPONSE_CODE
//     and RESPONSE_FLAGS, which stay as they are written, and what proxies add of
//     their own, such as x-request-id and server. X-Envoy-Attempt-Count,
//     X-Envoy-Original-Path and X-Envoy-Original-Host are there. The answer to a
//     gRPC request that the mesh gives itself looks like any other.
//   - What Envoy refuses for the size of a regular expression is estimated. Of
//     commands in values, it is not looked at whether their parameters are right,
//     but for REQ and RESP. DestinationRules and Gateways that Envoy refuses are
//     taken.
//   - REGISTRY_ONLY and ALLOW_ANY: a host that nobody knows is 404 NR.
//   - Ambient mode and waypoints, TCP and gRPC metrics.
//   - One proxy per pod: a workload has one series for each outcome, as if all
//     its pods were scraped as one, and new pods do not begin new series.
//   - Kubernetes beyond Deployments, their autoscalers and quotas of pods: no
//     ReplicaSets, Pod objects or Events are written, pods that end answer as
//     long as proxies know them, and a paused Deployment does not scale. Pod
//     objects that are there serve beside the Deployments' pods, if they are
//     ready. They need no room and no quota, and an autoscaler does not count
//     them. Scopes of quotas are not looked at. A quota that has room again is
//     used after Config.Reaction, without a growing delay.
//   - Autoscalers: metrics of single pods, the time in which the CPU of a new pod
//     is not looked at, targets other than Deployments, and selectors of two
//     Deployments that overlap.
//   - Queues: latency does not grow with load. Requests beyond a pod's Capacity
//     fail, from the next second on. Nobody waits for a duration that was drawn:
//     it is only counted.
package fake
