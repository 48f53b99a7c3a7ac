package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// table is scenarios by variants.
type table struct {
	number, title string
	keys          []key
	variants      []variant
	scenarios     []scenario
}

// key is a column that tells scenarios apart.
type key struct {
	name string
	of   func(s scenario) string
}

// variant is some columns: one for each rule, which judges the changed scenarios.
type variant struct {
	name   string
	change func(s scenario) scenario // nil: none
	rules  []rule
	cell   func(s scenario, o outcome) string
}

// print is the cell of an outcome; if no repetition counts there is none.
func (v variant) print(s scenario, o outcome) string {
	if o.n == 0 {
		return "-"
	}
	return v.cell(s, o)
}

// by has a column for each rule.
func by(rules []rule, cell func(s scenario, o outcome) string) []variant {
	return []variant{{rules: rules, cell: cell}}
}

var named = []key{
	{"scenario", func(s scenario) string { return s.name }},
	{"rps", func(s scenario) string { return decimal(s.rps) }},
	{"share", func(s scenario) string { return decimal(s.share) }},
	{"healthy", func(s scenario) string { return strconv.Itoa(s.healthy) }},
}

// print writes the table as markdown, row by row as they are ready.
func (t table) print(to io.Writer, r run, wanted *regexp.Regexp) error {
	var names []string
	for _, k := range t.keys {
		names = append(names, k.name)
	}
	for _, v := range t.variants {
		for _, rule := range v.rules {
			names = append(names, strings.TrimSpace(v.name+" "+rule.name))
		}
	}
	out := bufio.NewWriter(to)
	fmt.Fprintf(out, "### %s\n\n| %s |\n|%s\n", t.title, strings.Join(names, " | "), strings.Repeat("---|", len(names)))
	for _, s := range t.scenarios {
		if !wanted.MatchString(s.name) {
			continue
		}
		cells, err := t.row(r, s)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %s |\n", strings.Join(cells, " | "))
		if err := out.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintln(out)
	return out.Flush()
}

// row has the cells of a scenario.
func (t table) row(r run, s scenario) (cells []string, err error) {
	for _, k := range t.keys {
		cells = append(cells, k.of(s))
	}
	for _, v := range t.variants {
		changed := s
		if v.change != nil {
			changed = v.change(s)
		}
		outcomes, err := r.apply(changed, v.rules)
		if err != nil {
			return nil, err
		}
		for _, o := range outcomes {
			cells = append(cells, v.print(changed, o))
		}
	}
	return cells, nil
}

func falsely(_ scenario, o outcome) string { return fmt.Sprintf("%.1f", o.share()) }

func detection(_ scenario, o outcome) string {
	return fmt.Sprintf("%.0f / %s / %s", o.share(), decimal(o.median()), number(o.meanBad()))
}

func brief(s scenario, o outcome) string {
	if !strings.HasPrefix(s.name, "DET") {
		return fmt.Sprintf("%.1f%%", o.share())
	}
	return fmt.Sprintf("%.1f%% %sm", o.share(), decimal(o.median()))
}

// decimal prints a number with all its digits.
func decimal(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// number prints a whole number, or from a thousand on three digits with k or M.
func number(v float64) string {
	for unit := range strings.SplitSeq(" k M", " ") {
		if v < 999.5 || unit == "M" {
			digits := 0.0
			if unit != "" {
				digits = max(0, 2-math.Floor(math.Log10(v)))
			}
			scale := math.Pow(10, digits)
			return decimal(math.Round(v*scale)/scale) + unit
		}
		v /= 1000
	}
	return ""
}
