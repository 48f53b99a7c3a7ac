package apiserver

import (
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// resource is a kind of object that the server knows.
type resource struct {
	group    string
	versions []string // all of the same objects; the first is stored
	name     string   // plural
	kind     string
	global   bool // not in a namespace
	// generation says whether objects count their changes.
	generation bool
	// annotated says whether changes of annotations count too. They do for a Deployment,
	// which passes its annotations to its ReplicaSets.
	annotated bool
	// plain says that there is no status subresource.
	plain bool
	// scalable says that there is a scale subresource.
	scalable bool
	// review marks a question about rights: the answer is always yes, without the
	// question, and nothing is stored.
	review bool
	// blank is the status of a new object as its Go type encodes it; nil is an empty one.
	blank map[string]any
	// native returns a new value of the Go type of the objects; nil for custom resources.
	native func() any
	// defaults sets the defaults in a value of that type; nil sets none.
	defaults func(any)
	// validate returns the mistakes in an object whose metadata is valid; nil checks
	// nothing. old is nil for a new object.
	validate func(next, old map[string]any) field.ErrorList
	// schema checks custom resources; nil accepts everything.
	schema *messageSchema
}

// id returns the usual name of the resource: "virtualservices.networking.istio.io",
// "pods".
func (r *resource) id() string { return r.groupResource().String() }

func (r *resource) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: r.group, Resource: r.name}
}

func (r *resource) groupKind() schema.GroupKind {
	return schema.GroupKind{Group: r.group, Kind: r.kind}
}

// apiVersion returns the value of the field apiVersion for a version.
func (r *resource) apiVersion(version string) string {
	return schema.GroupVersion{Group: r.group, Version: version}.String()
}

const (
	istioGroup   = "networking.istio.io"
	gatewayGroup = "gateway.networking.k8s.io"
)

// resources are all resources that the server knows, in the order of discovery.
var resources = []*resource{
	native("", "namespaces", "Namespace", func() any { return new(corev1.Namespace) }, resource{global: true}),
	native("", "pods", "Pod", func() any { return new(corev1.Pod) }, resource{generation: true}),
	native("", "services", "Service", func() any { return new(corev1.Service) }, resource{}),
	native("", "configmaps", "ConfigMap", func() any { return new(corev1.ConfigMap) }, resource{plain: true}),
	native("", "events", "Event", func() any { return new(corev1.Event) }, resource{plain: true}),
	native("", "resourcequotas", "ResourceQuota", func() any { return new(corev1.ResourceQuota) }, resource{}),
	native("apps", "deployments", "Deployment", func() any { return new(appsv1.Deployment) }, resource{
		generation: true, annotated: true, scalable: true, defaults: defaultDeployment, validate: deploymentErrors,
	}),
	native("apps", "replicasets", "ReplicaSet", func() any { return new(appsv1.ReplicaSet) }, resource{
		generation: true, defaults: defaultReplicaSet,
	}),
	native("autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler",
		func() any { return new(autoscalingv2.HorizontalPodAutoscaler) },
		resource{
			versions: []string{"v2"}, blank: map[string]any{"desiredReplicas": int64(0)},
			defaults: defaultAutoscaler, validate: autoscalerErrors,
		}),
	native("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview",
		func() any { return new(authorizationv1.SelfSubjectAccessReview) }, resource{global: true, plain: true, review: true}),
	istio("virtualservices", "VirtualService", newSchema(&networking.VirtualService{})),
	istio("destinationrules", "DestinationRule", newSchema(&networking.DestinationRule{})),
	istio("gateways", "Gateway", newSchema(&networking.Gateway{})),
	istio("serviceentries", "ServiceEntry", newSchema(&networking.ServiceEntry{})),
	gatewayAPI("httproutes", "HTTPRoute", "v1", "v1beta1"),
	gatewayAPI("grpcroutes", "GRPCRoute", "v1"),
	gatewayAPI("gateways", "Gateway", "v1", "v1beta1"),
}

func native(group, name, kind string, object func() any, r resource) *resource {
	if r.versions == nil {
		r.versions = []string{"v1"}
	}
	r.group, r.name, r.kind, r.native = group, name, kind, object
	return &r
}

func istio(name, kind string, s *messageSchema) *resource {
	return &resource{
		group: istioGroup, versions: []string{"v1", "v1beta1", "v1alpha3"},
		name: name, kind: kind, generation: true, schema: s,
	}
}

func gatewayAPI(name, kind string, versions ...string) *resource {
	return &resource{group: gatewayGroup, versions: versions, name: name, kind: kind, generation: true}
}

// findResource finds a resource by the parts of a path; nil if there is none.
func findResource(group, version, name string) *resource {
	for _, r := range resources {
		if r.group == group && r.name == name && slices.Contains(r.versions, version) {
			return r
		}
	}
	return nil
}

// findID finds a resource by "name.group"; nil if there is none.
func findID(id string) *resource {
	name, group, _ := strings.Cut(id, ".")
	for _, r := range resources {
		if r.group == group && r.name == name {
			return r
		}
	}
	return nil
}

// findKind finds the resource of a manifest; nil if there is none.
func findKind(apiVersion, kind string) *resource {
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err != nil {
		return nil
	}
	for _, r := range resources {
		if r.group == gv.Group && r.kind == kind && slices.Contains(r.versions, gv.Version) {
			return r
		}
	}
	return nil
}

// noResource is used in a status that names no resource.
var noResource schema.GroupResource
