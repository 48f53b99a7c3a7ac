// Package apiserver is a Kubernetes API server in memory, for tests.
//
// It stores raw JSON documents. Use the real typed clients with [Server.Config]. No
// socket is opened, so the server works inside a testing/synctest bubble. Everything
// between the caller and the network is production code: encoding, retries, watches,
// informers, status errors. A [Server] is also an [http.Handler], for a listener on the
// loopback interface.
//
// # What it does like the real server
//
// One resourceVersion grows over all objects. A PUT or a patch with a stale
// resourceVersion is 409 Conflict. This includes a JSON patch that replaces
// /metadata/resourceVersion with a stale one. A PUT without resourceVersion is
// unconditional for core and apps types, and 422 for custom resources. The generation is
// 1 at creation and grows with every change outside of metadata and status. A
// Deployment's generation also grows with its annotations. Services, ConfigMaps, Events,
// Namespaces, ResourceQuotas and HorizontalPodAutoscalers have no generation. The status is written through its subresource only.
// A write that changes nothing answers 200 and keeps resourceVersion and generation. A
// JSON patch whose test fails, or whose path does not exist, is 422 Invalid without a
// useful message. Metadata is checked by Kubernetes' own rules. Deletion only marks an
// object that has finalizers; the object is removed with its last finalizer. Watches
// replay from a resourceVersion and honour selectors. They end with 410 Expired if the
// history (the last 1024 changes) no longer goes back far enough.
//
// Istio objects are checked against the structure of their types, as their CRDs do: wrong
// types, missing required fields, bad durations, two members of a oneof. A negative
// weight is accepted, as on a real server: only Istio's webhook refuses it.
// [Server.ValidateIstio] switches that webhook on. Core and apps objects are converted to
// their Go types, and unknown fields are dropped. Deployments get the defaults of the
// real server. A Deployment is refused if its selector changes or does not match its
// template, if replicas, strategy or deadline are invalid, or if a container has no name
// or no image. It has the subresource scale.
//
// HorizontalPodAutoscalers of autoscaling/v2 get the defaults of a real 1.36 server:
// minReplicas 1, a CPU utilization of 80 % if no metric is given, and the policies of a
// behavior. One is refused if minReplicas is below 1 (the feature gate HPAScaleToZero is
// off), if maxReplicas is missing or below minReplicas, if scaleTargetRef has no kind, no
// name or no API group, if a metric lacks its source or its target, or if a behavior has
// invalid windows or policies.
//
// # Faults
//
// [Server.Hook] puts a [Fault] before, after or in place of any call: [Conflict],
// [TooManyRequests], [ServerError], [Timeout], [Lose], [LoseAnswer], [Hang], [Delay],
// [Server.Stale], [Refuse] with any error, or a function of your own. [After] lets the
// call have its effect first. Note that client-go repeats a request up to ten times if
// the answer is 429 or 5xx with a Retry-After header, and waits in between. Hooks and
// [Server.Requests] see each attempt as a separate call.
//
// # Where it differs on purpose
//
//   - Fields of an Istio object that no type knows are kept. A real server prunes the
//     fields that its CRD does not know. But a cluster may have newer CRDs than the types
//     a program was built with, and tests should cover that case. [Server.PruneUnknown]
//     switches to the behaviour of a server whose CRDs match this library's types. As on
//     a real server, fieldValidation=Strict refuses unknown fields.
//
// # What it does not simulate
//
// A test suite in the repository sends the same requests to this server and to a real
// one. In answers, stored objects and watches, these are the only differences it finds:
//
//   - Server-side apply (415), managedFields, protobuf, tables, pagination (limit and
//     continue are ignored: a list is always complete).
//   - Authentication, authorisation (everything is allowed, and a SelfSubjectAccessReview
//     says so), quotas (ResourceQuotas are stored, with the status that a client writes,
//     and limit nothing), admission other than Istio's.
//   - Of a CRD: CEL rules other than those for durations, limits of numbers, lengths and
//     lists beyond the width of a number, everything in a status. Gateway API objects are
//     not checked at all.
//   - Of Istio's webhook: load balancers, TLS and CORS settings, names of gRPC codes,
//     matches of tcp and tls rules except host names, warnings, and kinds other than
//     VirtualService and DestinationRule.
//   - Of a Deployment's pods: volumes, resources, probes and security beyond their types.
//     Core and apps objects other than Deployments are checked only for types and
//     metadata. Of these, only ReplicaSets get defaults.
//   - Of a HorizontalPodAutoscaler: other versions than autoscaling/v2, the objects that
//     metrics describe, names of metrics beyond their presence, its status.
//   - Controllers: no Deployment rolls out or is scaled, and nothing is scheduled. A
//     simulator can do this with [Server.OnChange] and [Server.Update].
//   - Grace periods, garbage collection, deletion of the objects in a namespace. A
//     namespace need not exist.
//   - Subresources other than status, and scale of Deployments; field selectors other
//     than metadata.name and metadata.namespace.
package apiserver
