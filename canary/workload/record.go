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

	"github.com/serin-go/serin/canary"
)

// Annotation is where a stable Deployment keeps the record of its promotion.
const Annotation = "serin-go.github.io/restore"

// maxRecord is the most that the API server allows for all annotations of an
// object together, in bytes.
const maxRecord = 256 << 10

// record is what the Annotation holds; see the package comment for its rule.
// The zero record is that of a Deployment that was never promoted.
type record struct {
	// Fence is that of the last call that was acted on.
	canary.Fence
	// Canary is the fingerprint of the pod template that its rollout promoted;
	// "" if it promoted none.
	Canary string `json:"canary,omitempty"`
	// Images and Template are what stable ran before: the one or the other.
	Images   map[string]string       `json:"images,omitempty"`
	Template *corev1.PodTemplateSpec `json:"template,omitempty"`
}

// promoted reports whether the rollout has promoted stable.
func (r record) promoted(rollout string) bool { return r.Canary != "" && r.Rollout == rollout }

// readRecord reads the record of d. It trusts nothing: what no Promote or
// Restore could have written wraps canary.ErrBadState.
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

// fenced reads the record of d and refuses a Fence that does not come after it.
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
	// A newer library may have stored what this one would lose.
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return record{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return record{}, errors.New("more than one value")
	}
	return r, r.validate()
}

func (r record) validate() error {
	switch {
	case r.Serial < 0:
		return errors.New("the serial is negative")
	case r.Canary == "" && (r.Images != nil || r.Template != nil):
		return errors.New("it holds a version, but not what was promoted")
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
			return fmt.Errorf("container %q has image %q", container, image)
		}
	}
	return nil
}

// restarted is the annotation by which kubectl rollout restart makes new pods of
// the same version.
const restarted = "kubectl.kubernetes.io/restartedAt"

// version tells the versions that a Deployment may run apart.
func version(d *appsv1.Deployment) (string, error) {
	t := d.Spec.Template.DeepCopy()
	if delete(t.Annotations, restarted); len(t.Annotations) == 0 {
		t.Annotations = nil
	}
	return fingerprint(t)
}

// fingerprint tells pod templates apart.
func fingerprint(t *corev1.PodTemplateSpec) (string, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16]), nil
}
