package workload

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/serin-go/serin/canary"
)

// Annotation is the annotation of the stable Deployment that holds the record of its
// promotion.
const Annotation = "serin-go.github.io/restore"

// maxRecord is the API server's limit for all annotations of an object together, in
// bytes.
const maxRecord = 256 << 10

// record is the content of the Annotation; see the package comment. The zero record
// belongs to a Deployment that was never promoted.
type record struct {
	// Fence is the fencing token of the last call that was acted on.
	canary.Fence
	// Pin is the Version of the Pin when the rollout began; "" if the rollout did not begin
	// here. Promote needs it.
	Pin string `json:"pin,omitempty"`
	// Canary is the fingerprint of the promoted pod template; "" if the rollout has
	// promoted none.
	Canary string `json:"canary,omitempty"`
	// Images or Template, never both, are what stable ran before.
	Images   map[string]string       `json:"images,omitempty"`
	Template *corev1.PodTemplateSpec `json:"template,omitempty"`
}

// promoted reports whether the rollout has promoted stable.
func (r record) promoted(rollout string) bool { return r.Canary != "" && r.Rollout == rollout }

// readRecord reads the record of d. It trusts nothing: if the content cannot come from
// Promote or Restore, the error wraps canary.ErrBadState.
func readRecord(d *appsv1.Deployment) (record, error) {
	text, ok := d.Annotations[Annotation]
	if !ok {
		return record{}, nil
	}
	r, err := parseRecord(text)
	if err != nil {
		return record{}, fmt.Errorf("annotation %s: %w: %w", Annotation, canary.ErrBadState, err)
	}
	return r, nil
}

// fenced reads the record of d. It returns a canary.FencedError if f is not newer than
// the recorded Fence.
func fenced(d *appsv1.Deployment, f canary.Fence) (record, error) {
	r, err := readRecord(d)
	if err == nil {
		err = f.After(r.Fence)
	}
	return r, err
}

func parseRecord(text string) (record, error) {
	if len(text) > maxRecord {
		return record{}, fmt.Errorf("%d bytes, at most %d are allowed", len(text), maxRecord)
	}
	var r record
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	// A newer library may have stored fields that this one would lose.
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return record{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return record{}, errors.New("there is more than one JSON value")
	}
	return r, r.validate()
}

func (r record) validate() error {
	switch {
	case r.Serial < 0:
		return errors.New("the serial is negative")
	case r.Pin != "" && r.Rollout == "":
		return errors.New("it has a pin, but no rollout")
	case r.Canary == "" && (r.Images != nil || r.Template != nil):
		return errors.New("it has images or a template, but no canary")
	case r.Canary != "" && (len(r.Images) == 0) == (r.Template == nil):
		return errors.New("want either images or a template")
	case r.Template != nil && len(r.Template.Spec.Containers) == 0:
		return errors.New("the template has no containers")
	}
	return checkImages(r.Images)
}

func checkImages(images map[string]string) error {
	for container, image := range images {
		if container == "" || image == "" {
			return fmt.Errorf("container %q has image %q; want two names that are not empty", container, image)
		}
	}
	return nil
}

// restarted is the annotation that "kubectl rollout restart" sets to make new pods of the
// same version.
const restarted = "kubectl.kubernetes.io/restartedAt"

// version returns a fingerprint of the version that a Deployment runs.
func version(d *appsv1.Deployment) (string, error) { return fingerprint(unrestarted(&d.Spec.Template)) }

// unrestarted returns a copy of t without what a restart changes.
func unrestarted(t *corev1.PodTemplateSpec) *corev1.PodTemplateSpec {
	t = t.DeepCopy()
	if delete(t.Annotations, restarted); len(t.Annotations) == 0 {
		t.Annotations = nil
	}
	return t
}

// sameVersion reports whether two templates differ by a restart at most.
func sameVersion(a, b *corev1.PodTemplateSpec) bool {
	return equality.Semantic.DeepEqual(unrestarted(a), unrestarted(b))
}

// fingerprint returns a short hash of a pod template.
func fingerprint(t *corev1.PodTemplateSpec) (string, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16]), nil
}
