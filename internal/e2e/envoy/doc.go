// Package envoy runs Envoys that istiod tells what to do, as gateways and as
// sidecars of clients, in the pods of a plane.
//
// Between each Envoy and istiod there is a relay, which puts the addresses of this
// machine in the places of those that exist only in the cluster, and lets all else
// through. Envoy listens at its pod's address on the ports that istiod names:
// clients dial them there, where in a cluster iptables would lead them. Listeners
// of one address only, as those of TCP services, are left out, and so is all that
// comes to a pod.
//
// Istio's own filters, which count requests, are in Istio's build of Envoy alone.
// So requests are counted by what Envoy's access log says of them, with Istio's
// names and labels, and by the application's pods for themselves. There is no
// mutual TLS, and no ambient mode.
package envoy
