package plane

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	networkingapi "istio.io/api/networking/v1"
	networking "istio.io/client-go/pkg/apis/networking/v1"
	istio "istio.io/client-go/pkg/clientset/versioned"
	admission "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
)

// validated is the label of the namespaces whose objects Istio's webhook sees.
var validated = map[string]string{"serin-e2e/validated": "yes"}

// inMesh are the labels of those whose objects istiod tells Envoys of as well.
var inMesh = map[string]string{"serin-e2e/validated": "yes", "serin-e2e/mesh": "yes"}

var crds = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// installCRDs creates the CRDs of Istio and of the Gateway API and waits until
// they are served.
func (p *Plane) installCRDs(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(p.programs.gateway, "config", "crd", "standard", "*.yaml"))
	if err != nil {
		return err
	}
	var objects []*unstructured.Unstructured
	for _, file := range append(files, filepath.Join(p.programs.istio, "kubernetes", "customresourcedefinitions.gen.yaml")) {
		read, err := readCRDs(file)
		if err != nil {
			return err
		}
		objects = append(objects, read...)
	}
	client, err := dynamic.NewForConfig(p.config)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if _, err := client.Resource(crds).Create(ctx, o, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	for _, o := range objects {
		err := until(ctx, func(ctx context.Context) error { return established(ctx, client.Resource(crds), o.GetName()) })
		if err != nil {
			return err
		}
	}
	return nil
}

func readCRDs(file string) ([]*unstructured.Unstructured, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	objects, err := readObjects(f)
	return slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() != "CustomResourceDefinition" }), err
}

func established(ctx context.Context, client dynamic.ResourceInterface, name string) error {
	crd, err := client.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	conditions, _, err := unstructured.NestedSlice(crd.Object, "status", "conditions")
	if err != nil {
		return err
	}
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == "Established" && c["status"] == "True" {
			return nil
		}
	}
	return fmt.Errorf("%s is not established", name)
}

// readObjects reads a stream of YAML documents.
func readObjects(r io.Reader) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(r))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		o := &unstructured.Unstructured{}
		if err := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(doc), len(doc)+1).Decode(&o.Object); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

func (p *Plane) createNamespace(ctx context.Context, name string, labels map[string]string) error {
	client, err := kubernetes.NewForConfig(p.config)
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, metav1.CreateOptions{})
	return err
}

// installWebhook makes the API server ask istiod about the objects of the
// validated namespaces, and waits until it does.
func (p *Plane) installWebhook(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(p.config)
	if err != nil {
		return err
	}
	_, err = client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(ctx, p.webhook(), metav1.CreateOptions{})
	if err != nil {
		return err
	}
	const probe = "istio-webhook-probe"
	if err := p.createNamespace(ctx, probe, validated); err != nil {
		return err
	}
	mesh, err := istio.NewForConfig(p.config)
	if err != nil {
		return err
	}
	return until(ctx, func(ctx context.Context) error {
		_, err := mesh.NetworkingV1().VirtualServices(probe).Create(ctx, nonsense(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if apierrors.IsBadRequest(err) {
			return nil
		}
		return fmt.Errorf("nonsense was answered: %v", err)
	})
}

// webhook is the ValidatingWebhookConfiguration of Istio's own installation,
// but for the place where istiod is and the namespaces.
func (p *Plane) webhook() *admission.ValidatingWebhookConfiguration {
	url := "https://" + address(p.ports.istioWebhook) + "/validate"
	fail, none := admission.Fail, admission.SideEffectClassNone
	return &admission.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "istio-validator"},
		Webhooks: []admission.ValidatingWebhook{{
			Name:         "validation.istio.io",
			ClientConfig: admission.WebhookClientConfig{URL: &url, CABundle: p.ca},
			Rules: []admission.RuleWithOperations{{
				Operations: []admission.OperationType{admission.Create, admission.Update},
				Rule: admission.Rule{
					APIGroups:   []string{"security.istio.io", "networking.istio.io", "telemetry.istio.io", "extensions.istio.io"},
					APIVersions: []string{"*"},
					Resources:   []string{"*"},
				},
			}},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: validated},
			FailurePolicy:           &fail,
			SideEffects:             &none,
			AdmissionReviewVersions: []string{"v1"},
		}},
	}
}

// nonsense is a VirtualService that the schema allows and Istio does not.
func nonsense() *networking.VirtualService {
	route := func(weight int32) *networkingapi.HTTPRouteDestination {
		return &networkingapi.HTTPRouteDestination{Destination: &networkingapi.Destination{Host: "a"}, Weight: weight}
	}
	return &networking.VirtualService{
		ObjectMeta: metav1.ObjectMeta{Name: "nonsense"},
		Spec: networkingapi.VirtualService{
			Hosts: []string{"a"},
			Http:  []*networkingapi.HTTPRoute{{Route: []*networkingapi.HTTPRouteDestination{route(-1), route(101)}}},
		},
	}
}
