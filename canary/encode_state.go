package canary

import (
	"encoding/json"
	"errors"
	"fmt"
)

const (
	stateVersion = 1
	// stateBegin is how an encoded State of stateVersion begins.
	stateBegin = `{"version":1`
	// maxState bounds an encoded State, in bytes. It has room for every field at
	// its bound.
	maxState = 12 << 10
)

// versioned is the encoded form of a State.
type versioned struct {
	Version int `json:"version"`
	fields
}

type fields State

// MarshalJSON encodes s with its format version. The error wraps ErrBadState if
// UnmarshalJSON would refuse the result.
func (s State) MarshalJSON() ([]byte, error) {
	if err := s.validate(); err != nil {
		return nil, fmt.Errorf("canary: %w: %w", ErrBadState, err)
	}
	return json.Marshal(versioned{stateVersion, fields(s)})
}

// UnmarshalJSON decodes what MarshalJSON wrote. The error wraps ErrBadState if the text
// is larger than 12 KiB, of a newer format version, has unknown or repeated fields, or
// has values that no rollout could have written.
func (s *State) UnmarshalJSON(data []byte) error {
	if len(data) > maxState {
		return fmt.Errorf("canary: %w: %d bytes, at most %d are allowed", ErrBadState, len(data), maxState)
	}
	decoded, ok := readState(data)
	if !ok {
		var err error
		if decoded, err = decodeState(data); err != nil {
			return fmt.Errorf("canary: %w: %w", ErrBadState, err)
		}
	}
	if err := decoded.validate(); err != nil {
		return fmt.Errorf("canary: %w: %w", ErrBadState, err)
	}
	*s = decoded
	return nil
}

// decodeState decodes a State in any form.
func decodeState(data []byte) (State, error) {
	root, err := parse(data)
	if err != nil {
		return State{}, err
	}
	var v versioned
	d := decode(root, &v)
	err = told(d.wrong, d.more, data)
	switch {
	case v.Version > stateVersion: // which may be why there is an error
		err = fmt.Errorf("it has version %d, this library knows versions up to %d", v.Version, stateVersion)
	case err == nil && v.Version != stateVersion:
		err = errors.New("it has no version")
	}
	return State(v.fields), err
}
