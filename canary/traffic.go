package canary

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Traffic is what the mesh does, or is to do, with the requests of one service.
// It is comparable: == is the whole drift check. The zero value sends
// everything to stable and mirrors nothing.
type Traffic struct {
	// Canary is the share of live requests that the canary answers.
	Canary Weight `json:"canary,omitzero"`
	// Baseline is the share that a fresh copy of the stable version answers.
	// Stable answers what Canary and Baseline leave.
	Baseline Weight `json:"baseline,omitzero"`
	// Mirror is the share of live requests of which the canary gets a copy
	// whose answer is dropped.
	Mirror Weight `json:"mirror,omitzero"`
	// Cohorts are the groups of users who get the canary whatever the weights are.
	Cohorts Cohorts `json:"cohorts,omitzero"`
	// HeaderRoutes: a request may choose its version by a header, also while the
	// canary has no share.
	HeaderRoutes bool `json:"headerRoutes,omitzero"`
}

// Cohorts are the names of groups of users: sorted, each once, with commas
// between them. The zero value is none.
type Cohorts string

// CohortsOf returns the Cohorts with the names.
func CohortsOf(names ...string) Cohorts {
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

func (c Cohorts) validate() error {
	names := c.Names()
	if CohortsOf(names...) != c || slices.Contains(names, "") || !isName(string(c)) {
		return fmt.Errorf("cohorts are %q; want names, sorted, each once, of %d bytes together; CohortsOf makes such", c, maxName)
	}
	return nil
}

// Stable returns the share of live requests that stable answers.
func (t Traffic) Stable() Weight { return Full - t.Canary - t.Baseline }

// Validate reports every share outside 0..100%, shares that sum to more, and
// Cohorts that are not sorted.
func (t Traffic) Validate() error {
	var errs []error
	check := func(name string, w Weight) {
		if !w.Valid() {
			errs = append(errs, fmt.Errorf("%s is %v; a share lies between 0%% and 100%%", name, w))
		}
	}
	check("canary", t.Canary)
	check("baseline", t.Baseline)
	check("mirror", t.Mirror)
	if err := t.Cohorts.validate(); err != nil {
		errs = append(errs, err)
	}
	if len(errs) == 0 && t.Canary+t.Baseline > Full {
		errs = append(errs, fmt.Errorf("canary %v and baseline %v are more than 100%% together", t.Canary, t.Baseline))
	}
	return errors.Join(errs...)
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
