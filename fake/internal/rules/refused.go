package rules

import (
	"errors"
	"fmt"
	"maps"
	"regexp/syntax"
	"slices"

	networking "istio.io/api/networking/v1alpha3"
)

// place says where an error is. No error stays none.
func place(where string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", where, err)
}

// maxParameter is the size of the longest name of a query parameter that Envoy
// takes, in bytes.
const maxParameter = 1024

// badMatch tells what of a match block no Envoy takes.
func badMatch(m *networking.HTTPMatchRequest) error {
	errs := []error{
		place("uri", badPattern(m.Uri.GetRegex())), place("scheme", badString(m.Scheme)),
		place("method", badString(m.Method)), place("authority", badString(m.Authority)),
	}
	for _, headers := range []map[string]*networking.StringMatch{m.Headers, m.WithoutHeaders} {
		for _, name := range slices.Sorted(maps.Keys(headers)) {
			errs = append(errs, place("header "+name, badString(headers[name])), badName(name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.QueryParams)) {
		if name == "" || len(name) > maxParameter {
			errs = append(errs, fmt.Errorf("the name of a query parameter has %d bytes, not 1 to %d", len(name), maxParameter))
		}
		errs = append(errs, place("query parameter "+name, badString(m.QueryParams[name])))
	}
	return errors.Join(errs...)
}

// badString tells what no Envoy takes in a match of anything but a path.
func badString(m *networking.StringMatch) error {
	if p, ok := m.GetMatchType().(*networking.StringMatch_Prefix); ok && p.Prefix == "" {
		return fmt.Errorf("an empty prefix")
	}
	return badPattern(m.GetRegex())
}

// badOrigins tells what no Envoy takes among the origins of a CORS policy.
func badOrigins(c *networking.CorsPolicy) error {
	var errs []error
	for i, m := range c.GetAllowOrigins() {
		errs = append(errs, place(fmt.Sprintf("corsPolicy.allowOrigins %d", i), badString(m)))
	}
	return errors.Join(errs...)
}

// maxProgram is the size of the largest regular expression that Istio lets Envoy
// take, in instructions of RE2.
const maxProgram = 32768

// badPattern reports an expression whose program is too large. Its size is
// estimated.
func badPattern(text string) error {
	expr, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil // Istio's validation refuses it
	}
	if size := programSize(expr) + 4; size > maxProgram {
		return fmt.Errorf("a regular expression of about %d instructions, more than %d", size, maxProgram)
	}
	return nil
}

// programSize estimates how many instructions RE2 makes of an expression, as
// Envoy's sizes suggest: it works on bytes.
func programSize(e *syntax.Regexp) int {
	size := 0
	for _, sub := range e.Sub {
		size += programSize(sub)
	}
	switch e.Op {
	case syntax.OpLiteral:
		return len(e.Rune)
	case syntax.OpCharClass:
		return ranges(e.Rune)
	case syntax.OpAnyChar:
		return 1
	case syntax.OpAnyCharNotNL:
		return 2
	case syntax.OpCapture:
		return size + 2
	case syntax.OpQuest:
		return size + 1
	case syntax.OpPlus:
		return 2*size + 1
	case syntax.OpRepeat:
		if e.Max < 0 {
			return size * (e.Min + 1)
		}
		return size*e.Max + e.Max - e.Min
	}
	return size
}

// ranges counts the ranges of single bytes in a class. Letters in both cases are
// one range.
func ranges(class []rune) int {
	n := 0
	for i := 0; i < len(class) && class[i] <= 0xff; i += 2 {
		n++
	}
	has := func(r rune) bool {
		for i := 0; i < len(class); i += 2 {
			if class[i] == r {
				return true
			}
		}
		return false
	}
	for i := 0; i < len(class) && class[i] <= 'Z'; i += 2 {
		if class[i] >= 'A' && has(class[i]+'a'-'A') {
			n--
		}
	}
	return n
}
