package telemetry

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"
)

// selector is the part of PromQL that is simulated: name{label="value",...}, and
// a range in brackets behind it.
type selector struct {
	name     string
	matchers []matcher
	over     time.Duration // 0: an instant selector
}

// matcher is a condition on one label; a label that is not there is "".
type matcher struct {
	label string
	holds func(string) bool
}

func (s selector) holds(metric string, labels []pair) bool {
	if s.name != "" && s.name != metric {
		return false
	}
	for _, m := range s.matchers {
		if !m.holds(valueOf(metric, labels, m.label)) {
			return false
		}
	}
	return true
}

func valueOf(metric string, labels []pair, name string) string {
	if name == model.MetricNameLabel {
		return metric
	}
	for _, p := range labels {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

var (
	nameStart    = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)
	operator     = regexp.MustCompile(`^(=~|!~|!=|=)`)
	errSelectors = errors.New("only selectors are simulated, such as name{label=\"value\"}[5m]")
)

// parseSelector reads a selector, and nothing else.
func parseSelector(query string) (selector, error) {
	s, err := readSelector(strings.TrimSpace(query))
	if err != nil {
		return selector{}, fmt.Errorf("%w: %q: %w", errSelectors, query, err)
	}
	return s, nil
}

func readSelector(rest string) (s selector, err error) {
	s.name = nameStart.FindString(rest)
	rest = strings.TrimSpace(rest[len(s.name):])
	if braces, ok := strings.CutPrefix(rest, "{"); ok {
		if s.matchers, rest, err = readMatchers(strings.TrimSpace(braces)); err != nil {
			return s, err
		}
	}
	if s.name == "" && len(s.matchers) == 0 {
		return s, errors.New("it selects nothing")
	}
	if brackets, ok := strings.CutPrefix(rest, "["); ok {
		over, after, closed := strings.Cut(brackets, "]")
		d, err := model.ParseDuration(strings.TrimSpace(over))
		if err != nil || !closed || d == 0 {
			return s, fmt.Errorf("bad range %q", over)
		}
		s.over, rest = time.Duration(d), strings.TrimSpace(after)
	}
	if rest != "" {
		return s, fmt.Errorf("%q is left over", rest)
	}
	return s, nil
}

// readMatchers reads up to and including the closing brace.
func readMatchers(rest string) (all []matcher, after string, err error) {
	for {
		if after, ok := strings.CutPrefix(rest, "}"); ok {
			return all, strings.TrimSpace(after), nil
		}
		label := nameStart.FindString(rest)
		rest = strings.TrimSpace(rest[len(label):])
		op := operator.FindString(rest)
		if label == "" || op == "" {
			return nil, "", fmt.Errorf("want a matcher at %q", rest)
		}
		rest = strings.TrimSpace(rest[len(op):])
		value, after, err := readQuoted(rest)
		if err != nil {
			return nil, "", err
		}
		holds, err := newMatcher(op, value)
		if err != nil {
			return nil, "", err
		}
		all = append(all, matcher{label, holds})
		rest = strings.TrimSpace(after)
		if next, ok := strings.CutPrefix(rest, ","); ok {
			rest = strings.TrimSpace(next)
		} else if !strings.HasPrefix(rest, "}") {
			return nil, "", fmt.Errorf("want a comma or a brace at %q", rest)
		}
	}
}

// readQuoted reads a value in double quotes, single quotes or backticks.
func readQuoted(s string) (value, after string, err error) {
	if rest, ok := strings.CutPrefix(s, "'"); ok { // Go has only one character in these
		var b []byte
		for !strings.HasPrefix(rest, "'") {
			r, multibyte, tail, err := strconv.UnquoteChar(rest, '\'')
			if err != nil {
				return "", "", fmt.Errorf("bad value %s: %w", s, err)
			}
			if multibyte {
				b = utf8.AppendRune(b, r)
			} else {
				b = append(b, byte(r))
			}
			rest = tail
		}
		return string(b), rest[1:], nil
	}
	quoted, err := strconv.QuotedPrefix(s)
	if err != nil {
		return "", "", fmt.Errorf("want a quoted value at %q", s)
	}
	value, err = strconv.Unquote(quoted)
	return value, s[len(quoted):], err
}

func newMatcher(op, value string) (func(string) bool, error) {
	switch op {
	case "=":
		return func(s string) bool { return s == value }, nil
	case "!=":
		return func(s string) bool { return s != value }, nil
	}
	expr, err := regexp.Compile(`^(?s:` + value + `)$`)
	if err != nil {
		return nil, err
	}
	if op == "!~" {
		return func(s string) bool { return !expr.MatchString(s) }, nil
	}
	return expr.MatchString, nil
}
