package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/serin-go/serin/fake/apiserver"
)

// request is one thing asked of an API server. In its body, $name stands for the
// name of the object, $now for its version as last seen, and $old for the
// version that it was created with.
type request struct{ verb, body string }

// outcome is what is compared of an answer.
type outcome struct {
	code   int32
	reason metav1.StatusReason
	// changed: the resourceVersion is not the one last seen.
	changed bool
	// generations is how much the generation grew since it was last seen.
	generations int64
	object      string // as users see it, in JSON
}

func (o outcome) String() string {
	switch {
	case o.code == 0:
		return fmt.Sprintf("no answer: %s", o.reason)
	case o.code != 200:
		return fmt.Sprintf("%d %s", o.code, o.reason)
	case o.object == "":
		return "200"
	}
	const enough = 300
	object := o.object
	if len(object) > enough {
		object = object[:enough] + "..."
	}
	return fmt.Sprintf("200, new version: %t, generation: %+d, %s", o.changed, o.generations, object)
}

// subject is one object on one API server, and what its writer has seen of it.
type subject struct {
	client     dynamic.ResourceInterface
	name       string
	now, old   string
	generation int64
}

// do makes the request and tells what came of it.
func (s *subject) do(ctx context.Context, r request) outcome {
	o, err := s.send(ctx, r.verb, strings.NewReplacer("$name", s.name, "$now", s.now, "$old", s.old).Replace(r.body))
	if err != nil {
		return failure(err)
	}
	if o == nil {
		return outcome{code: 200}
	}
	result := outcome{code: 200, changed: o.GetResourceVersion() != s.now, generations: o.GetGeneration() - s.generation, object: visible(o)}
	if !strings.HasPrefix(r.verb, "dry ") {
		s.see(o)
	}
	return result
}

func (s *subject) see(o *unstructured.Unstructured) {
	s.now, s.generation = o.GetResourceVersion(), o.GetGeneration()
}

// created notes the version of an object that was just created.
func (s *subject) created(o outcome) {
	if o.code == 200 {
		s.old = s.now
	}
}

// send makes the request by a real client.
func (s *subject) send(ctx context.Context, verb, body string) (*unstructured.Unstructured, error) {
	verb, strict := strings.CutPrefix(verb, "strict ")
	validation := metav1.FieldValidationIgnore
	if strict {
		validation = metav1.FieldValidationStrict
	}
	o := &unstructured.Unstructured{}
	switch verb {
	case "create":
		if err := json.Unmarshal([]byte(body), &o.Object); err != nil {
			return nil, err
		}
		return s.client.Create(ctx, o, metav1.CreateOptions{FieldValidation: validation})
	case "update":
		if err := json.Unmarshal([]byte(body), &o.Object); err != nil {
			return nil, err
		}
		return s.client.Update(ctx, o, metav1.UpdateOptions{FieldValidation: validation})
	case "json patch":
		return s.client.Patch(ctx, s.name, types.JSONPatchType, []byte(body), metav1.PatchOptions{FieldValidation: validation})
	case "merge patch":
		return s.client.Patch(ctx, s.name, types.MergePatchType, []byte(body), metav1.PatchOptions{FieldValidation: validation})
	case "status json patch":
		return s.client.Patch(ctx, s.name, types.JSONPatchType, []byte(body), metav1.PatchOptions{FieldValidation: validation}, "status")
	case "status merge patch":
		return s.client.Patch(ctx, s.name, types.MergePatchType, []byte(body), metav1.PatchOptions{FieldValidation: validation}, "status")
	case "strategic patch":
		return s.client.Patch(ctx, s.name, types.StrategicMergePatchType, []byte(body), metav1.PatchOptions{FieldValidation: validation})
	case "apply":
		return s.client.Patch(ctx, s.name, types.ApplyYAMLPatchType, []byte(body), metav1.PatchOptions{FieldManager: "e2e"})
	case "dry json patch":
		return s.client.Patch(ctx, s.name, types.JSONPatchType, []byte(body), metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}})
	case "get":
		return s.client.Get(ctx, s.name, metav1.GetOptions{})
	case "delete":
		var options metav1.DeleteOptions
		if body != "" {
			if err := json.Unmarshal([]byte(body), &options); err != nil {
				return nil, err
			}
		}
		return nil, s.client.Delete(ctx, s.name, options)
	}
	return nil, fmt.Errorf("there is no verb %q", verb)
}

func failure(err error) outcome {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return outcome{reason: metav1.StatusReason(err.Error())}
	}
	return outcome{code: status.Status().Code, reason: status.Status().Reason}
}

// visible is what is compared of an object.
func visible(o *unstructured.Unstructured) string {
	seen := map[string]any{"spec": o.Object["spec"]}
	for name, m := range map[string]map[string]string{"annotations": o.GetAnnotations(), "labels": o.GetLabels()} {
		if len(m) > 0 {
			seen[name] = m
		}
	}
	b, err := json.Marshal(seen)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// pair is the same resource on the fake and on the real API server.
type pair struct {
	fake, real dynamic.ResourceInterface
	// settle waits until the controllers of the real one have written what they will, and reads that from both.
	settle func(ctx context.Context, fake, real *subject) error
}

// newPair opens a resource in a new namespace of both.
func newPair(t *testing.T, resource schema.GroupVersionResource, webhook bool) pair {
	p, f := controlPlane(t), apiserver.New()
	f.PruneUnknown() // the CRDs of the control plane are of the version of the fake's types
	namespace := p.Aside(t, webhook)
	if webhook {
		f.ValidateIstio()
	}
	open := func(c *rest.Config) dynamic.ResourceInterface {
		c.WarningHandler = rest.NoWarnings{}
		client, err := dynamic.NewForConfig(c)
		require.NoError(t, err)
		return client.Resource(resource).Namespace(namespace)
	}
	both := pair{open(f.Config()), open(p.Config()), func(context.Context, *subject, *subject) error { return nil }}
	if resource == deployments {
		both.settle = observed
	}
	return both
}

// observed waits until the Deployment controller has taken notice of an object
// that is paused; then it writes nothing more.
func observed(ctx context.Context, fake, real *subject) error {
	if o, err := fake.client.Get(ctx, fake.name, metav1.GetOptions{}); err == nil {
		fake.see(o)
	}
	for {
		o, err := real.client.Get(ctx, real.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		if seen, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration"); seen == o.GetGeneration() {
			real.see(o)
			return nil
		}
	}
}

// differences makes the same requests to both and returns where the answers
// were not the same.
func (p pair) differences(ctx context.Context, name string, requests []request) ([]string, error) {
	f, r := &subject{client: p.fake, name: name}, &subject{client: p.real, name: name}
	var found []string
	for i, q := range requests {
		a, b := f.do(ctx, q), r.do(ctx, q)
		if a != b {
			found = append(found, fmt.Sprintf("%d. %s\n   fake: %s\n   real: %s", i+1, q.verb, a, b))
		}
		if err := p.settle(ctx, f, r); err != nil {
			return nil, err
		}
		if strings.HasSuffix(q.verb, "create") {
			f.created(a)
			r.created(b)
		}
	}
	return found, nil
}
