package routing

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// validate returns every mistake, each with its place.
func (t Target) validate() error {
	var errs []error
	mistake := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if t.Namespace == "" {
		mistake("namespace is missing")
	}
	if t.Name == "" {
		mistake("name is missing")
	}
	errs = append(errs, t.validateRules()...)
	if t.Arms != (Arms{}) || len(t.Rules) == 0 || slices.ContainsFunc(t.Rules, func(r Rule) bool { return r.Arms == Arms{} }) {
		errs = append(errs, t.Arms.validate(t.suffix(), t.Overlapping))
	}
	if err := t.Mirror.Validate(); err != nil {
		mistake("mirror: %w", err)
	}
	if t.Header != "" && !isHeader(t.Header) {
		mistake("header: %q: want lower-case letters, digits, \"-\", \"_\" and \".\", but not uri, scheme, method or authority", t.Header)
	}
	if err := errors.Join(errs...); err != nil {
		return err // the default ID derives from fields that are wrong
	}
	return checkID(t.id())
}

func (t Target) validateRules() (errs []error) {
	seen := make(map[string]bool, len(t.Rules))
	for i, r := range t.Rules {
		switch name := r.String(); {
		case (r.Name == "") == (r.Match == nil):
			errs = append(errs, fmt.Errorf("rule %d: want either a name or a match", i))
		case isOwn(r.Name):
			errs = append(errs, fmt.Errorf("rule %d: %q: names that begin with %q are reserved for Serin's rules", i, r.Name, ownPrefix))
		case seen[name]:
			errs = append(errs, fmt.Errorf("rule %d: %s is listed twice", i, name))
		default:
			seen[name] = true
		}
		if r.Arms != (Arms{}) {
			if err := r.Arms.validate(t.suffix(), t.Overlapping); err != nil {
				errs = append(errs, fmt.Errorf("rule %v: %w", r, err))
			}
		}
	}
	return errs
}

// isHeader reports whether Istio can match on a header of that name. Istio accepts lower
// case only, and matches something else for the four reserved names.
func isHeader(name string) bool {
	reserved := []string{"uri", "scheme", "method", "authority"}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == "" && !slices.Contains(reserved, name)
}

// mistake says what is wrong with a destination; "" if nothing is.
func (d Destination) mistake() string {
	switch {
	case d.Host == "":
		return "host is missing"
	case strings.ContainsAny(d.Host, "*/:, \t\n"):
		return fmt.Sprintf("%q is not the host of a service", d.Host)
	case (d.Sets.Name == "") != (d.Sets.Value == ""):
		return fmt.Sprintf("header %q: %q: want both a name and a value", d.Sets.Name, d.Sets.Value)
	case d.Port > 65535:
		return fmt.Sprintf("port %d is not between 0 and 65535", d.Port)
	}
	return ""
}

func (a Arms) validate(suffix string, overlapping bool) error {
	var errs []error
	p := a.places(suffix)
	for i, d := range p {
		if d.Destination == (Destination{}) && i == baseline {
			continue
		}
		if why := d.mistake(); why != "" {
			errs = append(errs, fmt.Errorf("%s: %s", armNames[i], why))
		}
		for j := range i {
			if d.Host != "" {
				errs = append(errs, p.apart(j, i, overlapping))
			}
		}
	}
	return errors.Join(errs...)
}

// apart returns an error if the arms i and j are the same destination, or may select the
// same pods.
func (p *places) apart(i, j int, overlapping bool) error {
	a, b := &p[i], &p[j]
	switch {
	case a.overlaps(b):
		return fmt.Errorf("%s and %s are the same destination: %v", armNames[i], armNames[j], b.Destination)
	case a.full == b.full && (a.Subset == "") != (b.Subset == "") && !overlapping:
		return fmt.Errorf("%s (%v) and %s (%v) may select the same pods: give both a subset, or set Overlapping if the Service selects the pods of only one of them",
			armNames[i], a.Destination, armNames[j], b.Destination)
	}
	return nil
}

// isID matches an ID that fits into the name of an annotation together with its suffix.
var isID = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,52}[a-z0-9])?$`)

// checkID returns an error for an ID that cannot be part of an annotation's name, or that
// makes the name of another annotation.
func checkID(id string) error {
	if !isID.MatchString(id) || slices.Contains(taken, id) || strings.HasSuffix(id, ".abort") || strings.HasSuffix(id, ".original") {
		return fmt.Errorf("ID: %q cannot be used in the name of an annotation; set another of at most 54 lower-case letters, digits, \"-\" and \".\"", id)
	}
	return nil
}

// taken are names of annotations that belong to no target.
var taken = []string{"subsets", "restore"}
