package canary

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
)

// planDoc is the encoded form of a Plan.
type planDoc struct {
	Name           string            `json:"name"`
	Revision       string            `json:"revision,omitzero"`
	Owner          string            `json:"owner,omitzero"`
	Settle         duration          `json:"settle,omitzero"`
	ScrapeLag      duration          `json:"scrapeLag,omitzero"`
	Interval       duration          `json:"interval,omitzero"`
	Bake           duration          `json:"bake,omitzero"`
	Verify         bool              `json:"verify,omitzero"`
	Drift          driftDoc          `json:"drift,omitzero"`
	MaxJudgeErrors int               `json:"maxJudgeErrors,omitzero"`
	Steps          []json.RawMessage `json:"steps"`
	End            endDoc            `json:"end,omitzero"`
}

type driftDoc struct {
	Policy DriftPolicy `json:"policy,omitzero"`
	Limit  int         `json:"limit,omitzero"`
}

type endDoc struct {
	Kind          EndKind  `json:"kind,omitzero"`
	Deadline      duration `json:"deadline,omitzero"`
	HoldOnFailure bool     `json:"holdOnFailure,omitzero"`
}

// stepDoc is the encoded form of a Step: its traffic stands beside the rest.
type stepDoc struct {
	Name string `json:"name,omitzero"`
	Traffic
	Hold       duration   `json:"hold,omitzero"`
	Deadline   duration   `json:"deadline,omitzero"`
	OnDeadline OnDeadline `json:"onDeadline,omitzero"`
	Gate       string     `json:"gate,omitzero"`
	Judge      Judge      `json:"judge,omitzero"`
}

// duration is a time.Duration that encodes as "1m30s".
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("duration %q: want a form such as 1m30s", clip(string(text), 40))
	}
	*d = duration(parsed)
	return nil
}

// MarshalJSON encodes the plan; UnmarshalJSON gives it back, with the same
// digest.
func (p Plan) MarshalJSON() ([]byte, error) {
	if p.spec == nil {
		return nil, errNoPlan
	}
	return bytes.Clone(p.spec.encoded), nil
}

func (s *spec) encode() ([]byte, error) {
	doc := planDoc{
		Name: s.name, Revision: s.revision, Owner: s.owner,
		Settle: duration(s.settle), ScrapeLag: duration(s.lag), Interval: duration(s.interval),
		Bake: duration(s.bake), Verify: s.verify, Drift: driftDoc(s.drift), MaxJudgeErrors: s.judgeErrors,
		Steps: make([]json.RawMessage, len(s.steps)),
		End:   endDoc{s.end.Kind, duration(s.end.Deadline), s.end.HoldOnFailure},
	}
	for i, t := range s.steps {
		step, err := json.Marshal(stepDoc{t.Name, t.Traffic, duration(t.Hold), duration(t.Deadline), t.OnDeadline, t.Gate, t.Judge})
		if err != nil {
			return nil, err
		}
		doc.Steps[i] = step
	}
	return json.Marshal(doc)
}

// plan returns the plan that s makes once it has passed its checks. Its digest
// is that of what the author wrote, so it lasts from one version of this library
// to the next.
func (s spec) plan() (Plan, error) {
	encoded, err := s.encode()
	if err != nil {
		return Plan{}, err
	}
	digest := sha256.Sum256(encoded)
	p := s.resolved()
	p.author, p.encoded, p.digest = &s, encoded, hex.EncodeToString(digest[:8])
	return Plan{p}, nil
}

// UnmarshalJSON decodes a plan and checks it as Build does. It is strict: an
// unknown or repeated field is an error that names its place. YAML is read by
// sigs.k8s.io/yaml's UnmarshalStrict, which comes through here. All that a plan
// can say, with the zero value of each field unless it is told:
//
//	name: shop v2            # needed
//	revision: ""             # Plan.For
//	owner: ""
//	settle: 0s
//	scrapeLag: 0s
//	interval: 10s            # the default
//	bake: 0s
//	verify: false
//	maxJudgeErrors: 0
//	drift:
//	  policy: reassert       # or adopt, hold, roll back
//	  limit: 5               # the default
//	steps:
//	- name: ""               # by default the traffic in words
//	  canary: 0%             # and the other shares of Traffic:
//	  baseline: 0%
//	  mirror: 0%
//	  cohorts: ""
//	  hold: 0s
//	  deadline: 0s           # none
//	  onDeadline: roll back  # or wait, promote
//	  gate: ""
//	  judge: must pass       # or must not fail, unjudged
//	end:
//	  kind: stay             # or promote stable, withdraw
//	  deadline: 0s           # none
//	  holdOnFailure: false
func (p *Plan) UnmarshalJSON(data []byte) error {
	var doc planDoc
	if err := decodeStrict(data, &doc); err != nil {
		return fmt.Errorf("canary: plan: %w", err)
	}
	b := NewPlan(doc.Name).Owner(doc.Owner).
		Settle(time.Duration(doc.Settle)).ScrapeLag(time.Duration(doc.ScrapeLag)).Interval(time.Duration(doc.Interval)).
		OnDrift(Drift(doc.Drift)).MaxJudgeErrors(doc.MaxJudgeErrors).
		End(End{doc.End.Kind, time.Duration(doc.End.Deadline), doc.End.HoldOnFailure})
	b.spec.bake, b.spec.verify = time.Duration(doc.Bake), doc.Verify
	b.spec.revision = doc.Revision
	var errs []error
	for i, raw := range doc.Steps {
		var t stepDoc
		if err := decodeStrict(raw, &t); err != nil {
			errs = append(errs, fmt.Errorf("canary: plan %q: step %d: %w", clip(doc.Name, maxName), i+1, err))
		}
		b = b.Step(Step{t.Name, t.Traffic, time.Duration(t.Hold), time.Duration(t.Deadline), t.OnDeadline, t.Gate, t.Judge})
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	built, err := b.Build()
	if err != nil {
		return err
	}
	*p = built
	return nil
}

// decodeStrict decodes one JSON value that has no unknown and no repeated
// field.
func decodeStrict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return inWords(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the end of the document")
	}
	return checkRepeated(json.NewDecoder(bytes.NewReader(data)), "")
}

// inWords says of a value of the wrong type what would be right in its place.
func inWords(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	want := "a " + wrong.Type.Kind().String()
	switch wrong.Type {
	case reflect.TypeFor[Weight]():
		want = `a percentage in quotes or with its sign, such as "12.5%"`
	case reflect.TypeFor[duration]():
		want = "a duration such as 1m30s"
	}
	field := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]
	return fmt.Errorf("%s: found a %s, want %s", field, wrong.Value, want)
}

// checkRepeated finds a field that stands twice in one object, which
// encoding/json takes in silence. The data have been decoded before, so they
// are well-formed and not too deep.
func checkRepeated(d *json.Decoder, place string) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch token {
	case json.Delim('['):
		for i := 1; d.More(); i++ {
			if err := checkRepeated(d, fmt.Sprintf("%s %d", place, i)); err != nil {
				return err
			}
		}
	case json.Delim('{'):
		if err := checkFields(d, place); err != nil {
			return err
		}
	default:
		return nil
	}
	_, err = d.Token() // the closing bracket
	return err
}

func checkFields(d *json.Decoder, place string) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return err
		}
		name := fmt.Sprint(token)
		field := strings.TrimSpace(place + " " + clip(name, 40))
		if folded := strings.ToLower(name); seen[folded] {
			return fmt.Errorf("%s: the field stands twice", field)
		} else {
			seen[folded] = true
		}
		if err := checkRepeated(d, field); err != nil {
			return err
		}
	}
	return nil
}
