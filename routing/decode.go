package routing

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/serin-go/serin/canary"
)

// maxAnnotation is the greatest size of an annotation that is read or written, in bytes.
const maxAnnotation = 64 << 10

// decode reads an annotation into v. It trusts nothing: anything but one JSON value with
// known fields is an error.
func decode(text string, v any) error {
	if len(text) > maxAnnotation {
		return fmt.Errorf("%d bytes, at most %d are allowed", len(text), maxAnnotation)
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("unexpected data after byte %d", d.InputOffset())
	}
	return nil
}

// abort returns the reason in the AbortAnnotation; "" if there is no such annotation.
func abort(annotations map[string]string, id string) string {
	why, ok := annotations[AbortAnnotation(id)]
	if ok && strings.TrimSpace(why) == "" {
		return "no reason is given"
	}
	return why
}

// state reads the State of the rollout from its annotation.
func state(annotations map[string]string, id string) (canary.State, error) {
	var s canary.State
	key := StateAnnotation(id)
	text, ok := annotations[key]
	if !ok {
		return s, nil
	}
	if err := s.UnmarshalJSON([]byte(text)); err != nil {
		return s, fmt.Errorf("annotation %s: %w", key, err)
	}
	return s, nil
}
