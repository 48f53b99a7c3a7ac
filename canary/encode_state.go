package canary

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

const (
	stateVersion = 1
	// maxState bounds an encoded State, in bytes.
	maxState = 4 << 10
)

// versioned is the encoded form of a State.
type versioned struct {
	Version int `json:"version"`
	fields
}

type fields State

// MarshalJSON encodes s with the version of its form. The zero State has the
// form of any other.
func (s State) MarshalJSON() ([]byte, error) {
	return json.Marshal(versioned{stateVersion, fields(s)})
}

// UnmarshalJSON decodes what MarshalJSON wrote. It trusts nothing: a State that
// is too large, of a newer version, with unknown fields or with values that no
// rollout could have written is an error that wraps ErrBadState.
func (s *State) UnmarshalJSON(data []byte) error {
	if len(data) > maxState {
		return fmt.Errorf("canary: %w: %d bytes, at most %d are allowed", ErrBadState, len(data), maxState)
	}
	var v versioned
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(&v)
	if v.Version > stateVersion {
		return fmt.Errorf("canary: %w: it has version %d, this library knows versions up to %d", ErrBadState, v.Version, stateVersion)
	}
	if err == nil && v.Version != stateVersion {
		err = errors.New("it has no version")
	}
	if err != nil {
		return fmt.Errorf("canary: %w: %w", ErrBadState, err)
	}
	decoded := State(v.fields)
	if err := decoded.validate(); err != nil {
		return fmt.Errorf("canary: %w: %w", ErrBadState, err)
	}
	*s = decoded
	return nil
}

func (s State) validate() error {
	if err := s.Traffic.Validate(); err != nil {
		return err
	}
	switch {
	case s.Step < 0 || s.Drifts < 0 || s.JudgeErrors < 0 || s.Serial < 0 || s.PausedFor < 0:
		return fmt.Errorf("a count is negative")
	case s.Phase != Idle && (s.Plan == "" || s.Began.IsZero() || s.Entered.IsZero() || s.Shifted.IsZero()):
		return fmt.Errorf("phase %v without a plan or its times", s.Phase)
	}
	return nil
}
