// Package planfile reads a canary.Plan from a YAML or JSON file. It is a package of
// its own because it needs a YAML parser, and package canary links nothing but the
// standard library.
package planfile

import (
	"encoding/json"
	"fmt"

	"github.com/serin-go/serin/canary"
)

// maxSize bounds a file, and the JSON made of it, in bytes.
const maxSize = 1 << 20

// Parse reads a plan from one document of YAML or JSON, of at most 1 MiB. What may
// stand in it is said at [canary.Plan.UnmarshalJSON]. The error tells every mistake,
// up to 30, each with its line in data (if that has several) and its place:
//
//	line 7: steps 2 hold: duration "1 minute": want a form such as 1m30s
//
// A file that is not YAML at all has one mistake.
//
// YAML is read by the rules of version 1.2: yes and on are strings, not booleans.
// Aliases and merge keys (<<) work; a mistake in what an alias stands for has the
// line of the alias. Tags other than those of YAML's core schema are refused.
func Parse(data []byte) (canary.Plan, error) {
	if len(data) > maxSize {
		return canary.Plan{}, fmt.Errorf("planfile: %d bytes, at most %d are allowed", len(data), maxSize)
	}
	text := data
	if !json.Valid(data) { // YAML does not have all escapes of JSON
		var err error
		if text, err = toJSON(data); err != nil {
			return canary.Plan{}, fmt.Errorf("planfile: %w", err)
		}
	}
	var p canary.Plan
	err := p.UnmarshalJSON(text)
	return p, err
}
