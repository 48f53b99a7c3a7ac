package fake_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/serin-go/serin/canary/phase"
)

func (o *wholeOutcome) String() string {
	what := "healthy"
	if o.harm != nil {
		what = fmt.Sprintf("%s from %v on (expected %.3f, chance %.3f, %.0f bad, back after %v)", o.harm.name, o.began.Round(time.Second), o.expected, o.chance, o.bad, (o.back - o.began).Round(time.Second))
	}
	text := fmt.Sprintf("-fake.seed=%d -fake.only=%d: %v: %s: %v after %v: %s", o.seed, o.number, o.service, what, o.end, o.lasted, o.why)
	if *badOnly >= 0 {
		text += "\n  " + strings.Join(o.events, "\n  ")
	}
	return text
}

// wholeCell is the rollouts of a service with one harm.
type wholeCell struct {
	rollouts, promoted, missed int
	expected                   float64 // that are promoted, or found
	took                       []time.Duration
	bad                        []float64
}

func (c *wholeCell) add(o *wholeOutcome) {
	c.rollouts++
	if o.end == phase.Promoted {
		c.promoted++
	}
	if o.missed() {
		c.missed++
	}
	took := o.lasted
	if o.harm != nil {
		took = o.back - o.began
	}
	if o.harm == nil || o.back > 0 {
		c.took, c.bad = append(c.took, took), append(c.bad, o.bad)
	}
	c.expected += o.expected
}

// String is how many of how many are promoted, and the medians of the time and of the requests.
func (c *wholeCell) String() string {
	if c == nil {
		return ""
	}
	text := fmt.Sprintf("%d/%d", c.promoted, c.rollouts)
	if n := len(c.took); n > 0 {
		slices.Sort(c.took)
		slices.Sort(c.bad)
		text += fmt.Sprintf(" %.3gm %.0f", c.took[n/2].Minutes(), c.bad[n/2])
	}
	return text
}

// wholeReport is all rollouts, by services and harms.
type wholeReport struct {
	rows  []string
	ends  map[string]int
	wrong []string
}

// wholeTable sums up rollouts.
func wholeTable(services []wholeService, all []*wholeOutcome) (r wholeReport) {
	cells := map[string]*wholeCell{}
	r.ends = map[string]int{}
	for _, o := range all {
		key := o.service.String() + o.kind()
		if cells[key] == nil {
			cells[key] = &wholeCell{}
		}
		cells[key].add(o)
		r.ends[o.kind()+": "+o.end.String()]++
		if o.missed() {
			r.wrong = append(r.wrong, "promoted: "+o.String())
		}
	}
	head := fmt.Sprintf("%-30s %-18s", "promoted, minutes, bad", "healthy, forecast")
	for k := range wholeHarms {
		head += fmt.Sprintf(" %-22s", wholeHarms[k].name)
	}
	r.rows = append(r.rows, head)
	for _, s := range services {
		healthy := cells[s.String()+healthyKind]
		if healthy == nil {
			continue
		}
		row := fmt.Sprintf("%-30v %-18s", s, fmt.Sprintf("%v, %.1f", healthy, healthy.expected))
		r.hold(s, healthyKind, healthy.promoted, healthy)
		for k := range wholeHarms {
			cell := cells[s.String()+wholeHarms[k].name]
			row += fmt.Sprintf(" %-22v", cell)
			if cell != nil && wholeHarms[k].great && s.perSecond < 1 {
				r.hold(s, wholeHarms[k].name, cell.rollouts-cell.promoted, cell)
			}
		}
		r.rows = append(r.rows, row)
	}
	return r
}

// hold holds how often something happened against what was expected.
func (r *wholeReport) hold(s wholeService, kind string, happened int, c *wholeCell) {
	less := 0.1
	if kind != healthyKind {
		less = 0.2
	}
	p := c.expected/float64(c.rollouts) - less
	if p > 0 && fewer(happened, c.rollouts, p) < 0.001 {
		r.wrong = append(r.wrong, fmt.Sprintf("%v, %s: %d of %d, and %.1f are expected", s, kind, happened, c.rollouts, c.expected))
	}
}

const healthyKind = "healthy"

func (o *wholeOutcome) kind() string {
	if o.harm == nil {
		return healthyKind
	}
	return o.harm.name
}

func (r wholeReport) String() string {
	text := strings.Join(r.rows, "\n") + "\n"
	for _, end := range slices.Sorted(maps.Keys(r.ends)) {
		text += fmt.Sprintf("%6d %s\n", r.ends[end], end)
	}
	return text
}
