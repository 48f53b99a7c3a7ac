package workload

import (
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-go/serin/canary"
)

const (
	scalingAnnotation = "serin-go.github.io/scaling"
	maxAgain          = 3 // times that a field is raised that somebody sets back
)

// scaling is what an object remembers of a rollout that may raise its field. The zero scaling
// is that of an object without one.
type scaling struct {
	// Fence is that of the last write.
	canary.Fence
	// Was is what the owner had in the field; nil if it was not there.
	Was *int32 `json:"was"`
	// Set is what the rollout has set it to; nil if it has not.
	Set *int32 `json:"set,omitempty"`
	// Again is how often it was set again.
	Again int `json:"again,omitempty"`
}

// held is what an object holds of a Field: its value and what it remembers; nil if it lacks that.
type held struct {
	value  *int32
	record *scaling
}

// readScaling reads what an object remembers. What no rollout wrote is an ErrBadState.
func readScaling(object metav1.Object) (r scaling, err error) {
	text, ok := object.GetAnnotations()[scalingAnnotation]
	if !ok {
		return r, nil
	}
	if err = json.Unmarshal([]byte(text), &r); err == nil && (r.Rollout == "" || r.Serial < 0 || r.Again < 0 || valueOf(r.Was) < 0 || r.Set != nil && *r.Set <= 0) {
		err = fmt.Errorf("%q is nothing that a rollout wrote", text)
	}
	if err != nil {
		return scaling{}, fmt.Errorf("annotation %s: %w: %w; set the field to what it should be, and remove the annotation", scalingAnnotation, canary.ErrBadState, err)
	}
	return r, nil
}

// nilUnless returns r, and nil if it is that of an object without one.
func nilUnless(r scaling) *scaling {
	if r.Rollout == "" {
		return nil
	}
	return &r
}

// same reports whether nothing has to be written but a later Fence of the same rollout.
func (r scaling) same(as scaling) bool {
	return r.Rollout == as.Rollout && equal(r.Was, as.Was) && equal(r.Set, as.Set) && r.Again == as.Again
}

func equal(a, b *int32) bool { return (a == nil) == (b == nil) && valueOf(a) == valueOf(b) }

// set reports whether the field still holds what a rollout has set.
func (r scaling) set(is *int32) bool { return r.Set != nil && is != nil && *is == *r.Set }

// claimed returns what the object remembers when the rollout of f may raise the field. What
// another rollout has raised, and has not given back, is not the owner's.
func (r scaling) claimed(f canary.Fence, is *int32) scaling {
	switch {
	case r.Rollout == f.Rollout:
	case r.set(is):
		r.Again = 0
	default:
		r = scaling{Was: is}
	}
	r.Fence = f
	return r
}

// raised returns what the object holds when the field is n or more, as far as that is allowed,
// and why it is not.
func (r scaling) raised(is *int32, most, n int32) (to held, why string) {
	next := n
	if most > 0 && most < n {
		next, why = most, fmt.Sprintf("it allows %d at most", most)
	}
	if valueOf(is) >= next {
		return held{is, &r}, why
	}
	if r.Set != nil && valueOf(is) < *r.Set {
		if r.Again >= maxAgain {
			return held{is, &r}, fmt.Sprintf("somebody has set it back from %d to %d %d times: have the tool that does so leave it alone", *r.Set, valueOf(is), r.Again+1)
		}
		r.Again++
	}
	if !r.set(is) { // its owner's last word
		r.Was = is
	}
	r.Set = &next
	return held{&next, &r}, why
}
