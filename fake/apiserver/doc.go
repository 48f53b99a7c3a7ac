// Package apiserver is a Kubernetes API server in memory, for tests.
//
// It keeps raw JSON documents and is reached by the real typed clients through
// [Server.Config]: no socket is opened, so it works inside a testing/synctest
// bubble, and everything between a caller and the wire (encoding, retries,
// watches, informers, status errors) is what runs in production. It is also an
// [http.Handler], for a loopback listener.
//
// # What it does as the real one does
//
// One resourceVersion grows over all objects. A PUT or a patch with a stale
// one is 409 Conflict, also when a JSON patch replaces /metadata/resourceVersion
// by it. A PUT without one is unconditional for core and apps types and 422 for
// custom resources. The generation is 1 at creation and grows with every change
// outside of metadata and status (a Deployment counts its annotations too;
// Services, ConfigMaps, Events and Namespaces have none); the status is written
// through its subresource only. A write that changes nothing answers 200 and keeps
// resourceVersion and generation. A JSON patch whose test fails, or whose path
// does not exist, is 422 Invalid without a usable message. Metadata are checked by
// Kubernetes' own rules. An object with a finalizer is marked when it is deleted,
// and goes away with its last finalizer. Watches replay from
// a resourceVersion, honour selectors, and end in 410 Expired when the history
// (the last 1024 changes) no longer reaches back.
//
// Istio objects are checked against the structure of their types as their CRDs
// do: wrong types, missing required fields, bad durations, two members of a
// oneof. A negative weight passes, as it does on a real server: only Istio's
// webhook refuses it, which [Server.ValidateIstio] switches on. Core and apps
// objects are held in their Go types' form: what these do not know is dropped.
// Deployments get the defaults of the real server, and are refused for a selector
// that changes or does not fit, for what is wrong with replicas, strategy or
// deadline, and for containers without a name or an image.
//
// # Faults
//
// [Server.Hook] puts a [Fault] before, after or in the place of any call:
// [Conflict], [TooManyRequests], [ServerError], [Timeout], [Lose], [LoseAnswer],
// [Hang], [Delay], [Server.Stale], [Refuse] with any error, or a function of
// one's own; [After] lets a call have its effect first. Note what client-go does
// by itself: an answer of 429 or 5xx that says after how many seconds to come
// again is waited out and repeated up to ten times. Every attempt is a call of
// its own to hooks and to [Server.Requests].
//
// # Where it differs on purpose
//
//   - Fields of an Istio object that no type knows are kept. A real server
//     prunes what its CRD does not know; but the CRD of a cluster may be newer
//     than the types a program was built with, and that is the case worth
//     testing. [Server.PruneUnknown] does as a server with the CRDs of this
//     library's types. fieldValidation=Strict refuses them, as it does really.
//
// # What it does not simulate
//
// A suite in the repository sends the same requests to this server and to a real
// one; in what is answered, stored and watched it finds no difference but these.
//
//   - Server-side apply (415), managedFields, protobuf, tables, pagination
//     (limit and continue are ignored: a list is always whole).
//   - Authentication, authorisation (everybody may do everything, as a
//     SelfSubjectAccessReview is told), quotas, admission other than Istio's.
//   - Of a CRD: rules in CEL other than those for durations, limits of numbers,
//     lengths and lists beyond the width of a number, anything of a status.
//     Gateway API objects are not checked at all.
//   - Of Istio's webhook: load balancers, TLS and CORS settings, names of gRPC
//     codes, matches of tcp and tls rules but for names of hosts, warnings, and
//     kinds other than VirtualService and DestinationRule.
//   - Of a Deployment's pods: volumes, resources, probes and security beyond
//     their types. Of core and apps objects other than Deployments nothing but
//     types and metadata is checked, and nothing is defaulted but of ReplicaSets.
//   - Controllers: no Deployment rolls out, nothing is scheduled; a simulator
//     plays them with [Server.OnChange] and [Server.Update].
//   - Grace periods, garbage collection, deletion of what is in a namespace.
//     A namespace need not exist.
//   - Subresources other than status; field selectors other than
//     metadata.name and metadata.namespace.
package apiserver
