package routing

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	networking "istio.io/client-go/pkg/apis/networking/v1"

	"github.com/serin-go/serin/canary"
)

// mark is the record of a Prerequisite, stored in an annotation that anybody can change.
// The zero value is the mark of an object that the Prerequisite has never changed.
type mark struct {
	// Fence is the fencing token of the last write. The added subsets belong to its
	// rollout.
	canary.Fence
	// Added are the labels of the added subsets, by name.
	Added map[string]map[string]string `json:"added,omitempty"`
	// At is when the last subset was added.
	At time.Time `json:"at,omitzero"`
}

func readMark(annotations map[string]string, key string) (mark, error) {
	text, ok := annotations[key]
	if !ok {
		return mark{}, nil
	}
	m, err := decodeMark(text)
	if err != nil {
		return mark{}, fmt.Errorf("annotation %s: %w: %w", key, canary.ErrBadState, err)
	}
	return m, nil
}

func decodeMark(text string) (mark, error) {
	var m mark
	if err := decode(text, &m); err != nil {
		return mark{}, err
	}
	if m.Serial < 0 {
		return mark{}, errors.New("the serial is negative")
	}
	return m, nil
}

// with returns m after the rollout of f has added subsets, if any, and taken over the
// subsets added before.
func (m mark) with(added []Subset, f canary.Fence, now time.Time) mark {
	all := make(map[string]map[string]string, len(m.Added)+len(added))
	maps.Copy(all, m.Added)
	for _, s := range added {
		all[s.Name] = s.Labels
	}
	if len(added) > 0 {
		m.At = now.Round(0).UTC()
	}
	return mark{Fence: f, Added: all, At: m.At}
}

func (m mark) String() string {
	b, _ := json.Marshal(m) // strings, integers and a clock's time always have an encoding
	return string(b)
}

// addSubsets returns the patch that adds the missing subsets, if any, and sets the mark.
func addSubsets(rule *networking.DestinationRule, missing []Subset, m mark) Patch {
	var p Patch
	if len(missing) > 0 && len(rule.Spec.Subsets) == 0 {
		p.Add("/spec/subsets", []byte("[]"))
	}
	for _, s := range missing {
		labels, _ := json.Marshal(s.Labels) // strings always have an encoding
		value := append(appendQuoted([]byte(`{"name":`), s.Name), `,"labels":`...)
		p.Add("/spec/subsets/-", append(append(value, labels...), '}'))
	}
	p.annotate(rule.Annotations, SubsetsAnnotation, m.String())
	return p
}

// removeSubsets returns the patch that removes the mark, and the added subsets that
// nobody has changed. The last is removed first, so that indexes stay valid. An empty
// list of subsets is removed too.
func removeSubsets(rule *networking.DestinationRule, m mark) Patch {
	var p Patch
	left := len(rule.Spec.Subsets)
	for i := left - 1; i >= 0; i-- {
		s := rule.Spec.Subsets[i]
		if labels, ok := m.Added[s.GetName()]; ok && maps.Equal(labels, s.GetLabels()) {
			p.Remove("/spec/subsets/" + strconv.Itoa(i))
			left--
		}
	}
	if left == 0 && !p.Empty() {
		p.Remove("/spec/subsets")
	}
	p.unannotate(rule.Annotations, SubsetsAnnotation)
	return p
}
