// Package planfile reads a canary.Plan from a YAML or JSON file. It is separate from
// package canary because it needs a YAML parser, and package canary depends on the
// standard library only.
package planfile

import (
	"encoding/json"
	"fmt"

	"github.com/serin-go/serin/canary"
)

// maxSize is the greatest size of a file, and of the JSON made from it, in bytes.
const maxSize = 1 << 20

// Parse reads a plan from one YAML or JSON document of at most 1 MiB.
// [canary.Plan.UnmarshalJSON] describes its fields. The error lists every mistake, up to
// 30, each with its place and, if data has several lines, its line:
//
//	line 7: steps 2 hold: duration "1 minute": want a form such as 1m30s
//
// If the file is not valid YAML, the error is the first syntax error only.
//
// The rules are those of YAML 1.2: yes and on are strings, not booleans. Aliases and
// merge keys (<<) work. A mistake in the value of an alias is reported at the line of the
// alias. Tags outside of YAML's core schema are refused.
func Parse(data []byte) (canary.Plan, error) {
	if len(data) > maxSize {
		return canary.Plan{}, fmt.Errorf("planfile: %d bytes, at most %d are allowed", len(data), maxSize)
	}
	text := data
	if !json.Valid(data) { // YAML lacks some escapes of JSON
		var err error
		if text, err = toJSON(data); err != nil {
			return canary.Plan{}, fmt.Errorf("planfile: %w", err)
		}
	}
	var p canary.Plan
	err := p.UnmarshalJSON(text)
	return p, err
}
