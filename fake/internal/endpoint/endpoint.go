// Package endpoint says who serves requests: ready pods, and the names that
// Istio's metrics give them.
package endpoint

import "unique"

// Group is ready pods that differ in nothing but their names.
type Group struct {
	// Namespace and Workload are those of the owner of the pods.
	Namespace, Workload string
	// Image is that of the first container; "" if there is none.
	Image string
	// Labels are those of each pod. They are never changed.
	Labels map[string]string
	// Ready is the number of pods.
	Ready int
}

// Carries reports whether the pods have all labels of all selectors.
func (g Group) Carries(selectors []map[string]string) bool {
	for _, s := range selectors {
		for key, value := range s {
			if got, ok := g.Labels[key]; !ok || got != value {
				return false
			}
		}
	}
	return true
}

// Service is a Service by its full host, its name and its namespace.
type Service struct{ Host, Name, Namespace string }

// ID is an Identity that is compared at once, however long its names are.
type ID = unique.Handle[Identity]

// Identity is the destination of a request in the labels of Istio's metrics.
type Identity struct {
	// Workload and Namespace are those of the pods.
	Workload, Namespace string
	// App is their label app, and Service their canonical service.
	App, Service string
	// Revision is their canonical revision, and Version their label version.
	Revision, Version string
	// Host, HostName and HostNamespace are the Service that was called.
	Host, HostName, HostNamespace string
}

// Unknown stands for a name that nobody knows.
const Unknown = "unknown"

// nobody is the destination of a request that reached no pod.
var nobody = Identity{
	Workload: Unknown, Namespace: Unknown, App: Unknown, Service: Unknown, Revision: "latest", Version: Unknown,
	Host: Unknown, HostName: Unknown, HostNamespace: Unknown,
}

// Nobody is the destination of a request that reached no pod and no Service.
func Nobody() ID { return unique.Make(nobody) }

// NobodyAt is the destination of a request that reached no pod of a host without
// Service.
func NobodyAt(host string) ID {
	id := nobody
	id.Host, id.HostName = host, host
	return unique.Make(id)
}

// NobodyBehind is the destination of a request that reached no pod of a Service.
func NobodyBehind(s Service) ID { return unique.Make(s.named(nobody)) }

// Identify names pods that were reached through a Service.
func Identify(g Group, s Service) ID {
	id := s.named(nobody)
	id.Workload, id.Namespace = g.Workload, g.Namespace
	id.App = label(g.Labels, Unknown, "app")
	id.Service = label(g.Labels, g.Workload, "service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
	id.Revision = label(g.Labels, "latest", "service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")
	id.Version = label(g.Labels, Unknown, "version")
	return unique.Make(id)
}

// named is an identity with the names of the Service.
func (s Service) named(id Identity) Identity {
	id.Host, id.HostName, id.HostNamespace = s.Host, s.Name, s.Namespace
	return id
}

// label returns the first of the labels that is there.
func label(labels map[string]string, otherwise string, names ...string) string {
	for _, name := range names {
		if value := labels[name]; value != "" {
			return value
		}
	}
	return otherwise
}
