package canary

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Traffic is how the mesh divides the requests of one service. Traffic is comparable with
// ==. The zero value sends everything to stable and mirrors nothing.
type Traffic struct {
	// Canary is the share of live requests that the canary answers.
	Canary Weight `json:"canary,omitzero"`
	// Baseline is the share that a fresh copy of the stable version answers. Stable
	// answers the rest.
	Baseline Weight `json:"baseline,omitzero"`
	// Mirror is the share of live requests that are copied to the canary. The answers to
	// copies are dropped.
	Mirror Weight `json:"mirror,omitzero"`
	// Cohorts are the groups of users who get the canary whatever the weights are.
	Cohorts Cohorts `json:"cohorts,omitzero"`
	// HeaderRoutes: a request may choose its version by a header, whatever the weights
	// are. See [Builder.HeaderRoutes].
	HeaderRoutes bool `json:"headerRoutes,omitzero"`
}

// Cohorts are names of groups of users: sorted, without duplicates, separated by commas.
// The zero value is none. No renderer supports cohorts yet.
type Cohorts string

// cohortsOf returns the Cohorts with the names.
func cohortsOf(names ...string) Cohorts {
	names = slices.Sorted(slices.Values(names))
	return Cohorts(strings.Join(slices.Compact(names), ","))
}

// Names returns the names, sorted.
func (c Cohorts) Names() []string {
	if c == "" {
		return nil
	}
	return strings.Split(string(c), ",")
}

// Stable returns the share of live requests that stable answers.
func (t Traffic) Stable() Weight { return Full - t.Canary - t.Baseline }

// Validate returns an error if a share lies outside 0..100%, if the shares sum to more
// than 100%, or if Cohorts are not sorted.
func (t Traffic) Validate() error {
	var errs []error
	for _, m := range t.problems() {
		errs = append(errs, fmt.Errorf("%s is %s", strings.Join(m.place, ""), m.text))
	}
	return errors.Join(errs...)
}

func (t Traffic) problems() mistakes {
	var all mistakes
	check := func(field string, w Weight) {
		if !w.Valid() {
			all.add(field, "", "%v; a share lies between 0%% and 100%%", w)
		}
	}
	check("canary", t.Canary)
	check("baseline", t.Baseline)
	check("mirror", t.Mirror)
	if names := t.Cohorts.Names(); t.Cohorts != "" && cohortsOf(names...) != t.Cohorts || slices.Contains(names, "") || !isName(string(t.Cohorts)) {
		all.add("cohorts", "", "%q; want names, sorted, each once, of %d bytes together", t.Cohorts, maxName)
	}
	if all == nil && t.Canary+t.Baseline > Full {
		all.add("baseline", "canary", "%v, which is more than 100%% together with %v of canary", t.Baseline, t.Canary)
	}
	return all
}

// String prints the traffic in words: "canary 20%", "stable only",
// "canary 0%, mirror 100%".
func (t Traffic) String() string {
	if t == (Traffic{}) {
		return "stable only"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "canary %v", t.Canary)
	if t.Baseline != 0 {
		fmt.Fprintf(&b, ", baseline %v", t.Baseline)
	}
	if t.Mirror != 0 {
		fmt.Fprintf(&b, ", mirror %v", t.Mirror)
	}
	if t.Cohorts != "" {
		fmt.Fprintf(&b, ", cohorts %s", t.Cohorts)
	}
	if t.HeaderRoutes {
		b.WriteString(", header routes")
	}
	return b.String()
}

// exceeds reports whether t gives anybody but stable something that o does not.
func (t Traffic) exceeds(o Traffic) bool {
	return t.Canary > o.Canary || t.Baseline > o.Baseline || t.Mirror > o.Mirror ||
		t.Cohorts != "" && t.Cohorts != o.Cohorts || t.HeaderRoutes && !o.HeaderRoutes
}
