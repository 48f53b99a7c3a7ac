package canary

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// Owner returns the name of the tool that drives the rollout.
func (p Plan) Owner() string { return p.settings().owner }

// Settle returns how long the mesh needs to apply a change of traffic.
func (p Plan) Settle() time.Duration { return p.settings().settle }

// ScrapeLag returns how far the metrics may lag behind a change of traffic.
func (p Plan) ScrapeLag() time.Duration { return p.settings().lag }

// Interval returns how often a Runner looks at a rollout that waits.
func (p Plan) Interval() time.Duration { return p.settings().interval }

// Bake returns the bake time. During this time after the last change of traffic, an Abort
// still rolls back.
func (p Plan) Bake() time.Duration { return p.settings().bake }

// settings are those of the plan; none in the zero Plan.
func (p Plan) settings() *spec {
	if p.spec == nil {
		return &spec{}
	}
	return p.spec
}

// String prints the plan as a table: the settings, one line for each step, and the end.
func (p Plan) String() string {
	if p.spec == nil {
		return "no plan"
	}
	var b strings.Builder
	b.WriteString(join(", ", p.Name(), p.spec.shown()))
	b.WriteByte('\n')
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for i, s := range p.Steps() {
		s.Traffic.HeaderRoutes = false // the first line tells them
		traffic := s.Traffic.String()
		if traffic == s.Name {
			traffic = ""
		}
		fmt.Fprintf(w, "%4d\t%s\t%s\t%s\n", i+1, s.Name, traffic, s.shown())
	}
	w.Flush()
	b.WriteString("then " + join("; ", p.spec.end.shown(), p.spec.returns.shown()))
	return b.String()
}

// shown are the settings.
func (s *spec) shown() string {
	var flags []string
	if s.verify {
		flags = append(flags, "verified")
	}
	if s.onChange != ChangeRollBack {
		flags = append(flags, "on change "+s.onChange.String())
	}
	if s.headerRoutes {
		flags = append(flags, "header routes")
	}
	return join(", ", append([]string{named("owner", s.owner), lasting("settle", s.settle), lasting("scrape lag", s.lag), lasting("interval", s.interval), lasting("bake", s.bake), lasting("blind limit", s.blind), lasting("error limit", s.errors), lasting("pause limit", s.pause), "on drift " + s.drift.shown()}, flags...)...)
}

// shown is what a step asks for beside its traffic.
func (s Step) shown() string {
	deadline := lasting("deadline", s.Deadline)
	if s.Deadline > 0 && s.OnDeadline != DeadlineAdvance {
		deadline += ", then " + s.OnDeadline.String()
	}
	noReturn := ""
	if s.NoReturn {
		noReturn = "point of no return"
	}
	return join("; ", lasting("hold", s.Hold), named("requires", s.Requires.String()), deadline,
		named("enter by", strings.Join(s.EnterGates, ", ")), named("leave by", strings.Join(s.LeaveGates, ", ")), noReturn)
}

func (d drift) shown() string { return fmt.Sprintf("%v, %d times at most", d.Policy, d.Limit) }

func (e End) shown() string {
	parts := join(", ", e.Kind.String(), lasting("deadline", e.Deadline))
	if e.HoldOnFailure {
		parts += ", hold on failure"
	}
	return parts
}

// lasting is a name and how long, named a name and what; "" for nothing.
func lasting(name string, d time.Duration) string {
	if d == 0 {
		return ""
	}
	return name + " " + d.String()
}

func named(name, what string) string {
	if what == "" {
		return ""
	}
	return name + " " + what
}

// join joins the parts that are not empty.
func join(separator string, parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		if part == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(separator)
		}
		b.WriteString(part)
	}
	return b.String()
}
