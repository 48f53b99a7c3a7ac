package canary

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// planDoc is the encoded form of a Plan.
type planDoc struct {
	Name          string       `json:"name"`
	Revision      string       `json:"revision,omitzero"`
	Owner         string       `json:"owner,omitzero"`
	Settle        duration     `json:"settle,omitzero"`
	ScrapeLag     duration     `json:"scrapeLag,omitzero"`
	Interval      duration     `json:"interval,omitzero"`
	Bake          duration     `json:"bake,omitzero"`
	Verify        bool         `json:"verify,omitzero"`
	HeaderRoutes  bool         `json:"headerRoutes,omitzero"`
	Drift         driftDoc     `json:"drift,omitzero"`
	OnChange      ChangePolicy `json:"onChange,omitzero"`
	BlindLimit    duration     `json:"blindLimit,omitzero"`
	ErrorLimit    duration     `json:"errorLimit,omitzero"`
	PauseLimit    duration     `json:"pauseLimit,omitzero"`
	Steps         []stepDoc    `json:"steps"`
	End           endDoc       `json:"end,omitzero"`
	ReturnInSteps returnDoc    `json:"returnInSteps,omitzero"`
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

type returnDoc struct {
	Hold   duration `json:"hold,omitzero"`
	Stable []Weight `json:"stable,omitempty"`
}

// stepDoc is the encoded form of a Step: its traffic stands beside the rest.
type stepDoc struct {
	Name string `json:"name,omitzero"`
	Traffic
	Hold       duration    `json:"hold,omitzero"`
	Deadline   duration    `json:"deadline,omitzero"`
	OnDeadline OnDeadline  `json:"onDeadline,omitzero"`
	EnterGates []string    `json:"enterGates,omitempty"`
	LeaveGates []string    `json:"leaveGates,omitempty"`
	Requires   Requirement `json:"requires,omitzero"`
	NoReturn   bool        `json:"noReturn,omitzero"`
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

// MarshalJSON encodes the plan. UnmarshalJSON decodes it again, with the same digest.
func (p Plan) MarshalJSON() ([]byte, error) {
	if p.spec == nil {
		return nil, errNoPlan
	}
	return slices.Clone(p.spec.encoded), nil
}

func (s *spec) encode() ([]byte, error) {
	doc := planDoc{
		Name: s.name, Revision: s.revision, Owner: s.owner,
		Settle: duration(s.settle), ScrapeLag: duration(s.lag), Interval: duration(s.interval),
		Bake: duration(s.bake), Verify: s.verify, HeaderRoutes: s.headerRoutes, Drift: driftDoc(s.drift), OnChange: s.onChange,
		BlindLimit: duration(s.blind), ErrorLimit: duration(s.errors), PauseLimit: duration(s.pause),
		Steps: make([]stepDoc, len(s.steps)),
		End:   endDoc{s.end.Kind, duration(s.end.Deadline), s.end.HoldOnFailure},

		ReturnInSteps: returnDoc{duration(s.returns.Hold), s.returns.Stable},
	}
	for i, t := range s.steps {
		doc.Steps[i] = stepDoc{t.Name, t.Traffic, duration(t.Hold), duration(t.Deadline), t.OnDeadline, t.EnterGates, t.LeaveGates, t.Requires, t.NoReturn}
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

// UnmarshalJSON decodes a plan and checks it as Build does. Unknown fields, repeated
// fields, nulls, and text after the plan are mistakes. The error has all mistakes in the
// order of the document, at most 30, each with its line and its place, such as line 7:
// steps 3 "shop 20%" hold. A plan has at most 1 MiB and 1000 steps. Package
// canary/planfile reads YAML. These are all fields, with their zero values, in YAML:
//
//	name: shop v2            # needed
//	revision: ""             # Plan.For
//	owner: ""
//	settle: 0s
//	scrapeLag: 0s
//	interval: 10s            # the default
//	bake: 0s
//	verify: false
//	headerRoutes: false
//	onChange: roll back      # or restart, hold
//	blindLimit: 0s           # four looks, 30s at least
//	errorLimit: 0s           # 15m
//	pauseLimit: 0s           # 24h
//	drift:
//	  policy: reassert       # or adopt, hold, roll back
//	  limit: 5               # the default
//	steps:
//	- name: ""               # by default the traffic in words
//	  canary: 0%             # and the other shares of Traffic:
//	  baseline: 0%
//	  mirror: 0%
//	  cohorts: ""            # names with commas between them
//	  hold: 0s
//	  deadline: 0s           # none
//	  onDeadline: advance    # or roll back, pause
//	  enterGates: []
//	  leaveGates: []
//	  requires: pass         # or no failure, nothing
//	  noReturn: false
//	end:
//	  kind: stay             # or promote stable, discard
//	  deadline: 0s           # none
//	  holdOnFailure: false
//	returnInSteps:           # only with promote stable
//	  hold: 0s
//	  stable: []             # everything at once; or shares such as [10%, 50%]
func (p *Plan) UnmarshalJSON(data []byte) error {
	if len(data) > maxPlan {
		return fmt.Errorf("canary: plan: %d bytes, at most %d are allowed", len(data), maxPlan)
	}
	root, err := parse(data)
	if err != nil {
		return fmt.Errorf("canary: plan: %w", err)
	}
	var doc planDoc
	d := decode(root, &doc)
	s, wrong := doc.builder().check()
	if d.merge(root, wrong); d.wrong != nil {
		return s.refused(told(d.wrong, d.more, data))
	}
	built, err := s.plan()
	if err != nil {
		return err
	}
	*p = built
	return nil
}

func (doc planDoc) builder() Builder {
	steps := make([]Step, len(doc.Steps))
	for i, t := range doc.Steps {
		steps[i] = Step{t.Name, t.Traffic, time.Duration(t.Hold), time.Duration(t.Deadline), t.OnDeadline, t.EnterGates, t.LeaveGates, t.Requires, t.NoReturn}
	}
	b := NewPlan(doc.Name).Owner(doc.Owner).
		Settle(time.Duration(doc.Settle)).ScrapeLag(time.Duration(doc.ScrapeLag)).Interval(time.Duration(doc.Interval)).
		OnDrift(doc.Drift.Policy).DriftLimit(doc.Drift.Limit).OnChange(doc.OnChange).BlindLimit(time.Duration(doc.BlindLimit)).ErrorLimit(time.Duration(doc.ErrorLimit)).PauseLimit(time.Duration(doc.PauseLimit)).
		Step(steps...).
		End(End{doc.End.Kind, time.Duration(doc.End.Deadline), doc.End.HoldOnFailure}).
		ReturnInSteps(time.Duration(doc.ReturnInSteps.Hold), doc.ReturnInSteps.Stable...)
	b.spec.bake, b.spec.verify, b.spec.headerRoutes = time.Duration(doc.Bake), doc.Verify, doc.HeaderRoutes
	b.spec.revision = doc.Revision
	return b
}
