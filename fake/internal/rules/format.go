package rules

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// format is the value of a header to be: text, and commands of Envoy's between
// percent signs.
type format []func(Values) string

// Values is what a format may refer to.
type Values struct {
	// Request is the one that is sent on.
	Request *http.Request
	// Response is the headers of the answer; nil while there is none.
	Response http.Header
	// Code is the status; 0 for answers that the proxy gives by itself.
	Code int
	// Flags are Envoy's response flags; "" for none.
	Flags string
}

func (f format) render(v Values) string {
	var b strings.Builder
	for _, part := range f {
		b.WriteString(part(v))
	}
	return b.String()
}

// maxValue is the size of the largest value that Envoy takes, in bytes.
const maxValue = 16 << 10

// headerNames is one name, or a second one that stands in for it.
var headerNames = regexp.MustCompile("^:?[-!#$%&'*+.^_`|~0-9A-Za-z]+([?]:?[-!#$%&'*+.^_`|~0-9A-Za-z]*)?$")

var command = regexp.MustCompile(`^%([A-Z0-9_]+)(?:\((.*?)\))?(?::([0-9]+))?%`)

// compileFormat reads the value of a header, or tells why no Envoy takes it.
func compileFormat(text string) (format, error) {
	if len(text) > maxValue {
		return nil, fmt.Errorf("a value of more than %d bytes", maxValue)
	}
	if err := badText(text); err != nil {
		return nil, err
	}
	var f format
	for text != "" {
		literal, rest, found := strings.Cut(text, "%")
		if literal != "" {
			f = append(f, constant(literal))
		}
		if !found {
			break
		}
		if after, ok := strings.CutPrefix(rest, "%"); ok {
			f, text = append(f, constant("%")), after
			continue
		}
		m := command.FindStringSubmatch("%" + rest)
		if m == nil {
			return nil, fmt.Errorf("%q does not begin with a command", "%"+rest)
		}
		part, err := compileCommand(m[0], m[1], m[2], m[3])
		if err != nil {
			return nil, err
		}
		f, text = append(f, part), rest[len(m[0])-1:]
	}
	return f, nil
}

func constant(s string) func(Values) string { return func(Values) string { return s } }

// compileCommand makes one command ready. Commands that Envoy knows and that are
// not simulated stay what they are.
func compileCommand(whole, name, args, limit string) (func(Values) string, error) {
	kind, known := commands[name]
	switch {
	case !known:
		return nil, fmt.Errorf("unknown command %s", whole)
	case kind == withArgs && args == "":
		return nil, fmt.Errorf("%s needs a parameter", whole)
	case kind == alone && whole != "%"+name+"%":
		return nil, fmt.Errorf("%s takes no parameter", whole)
	}
	switch name {
	case "REQ", "RESP":
		return compileHeaderCommand(name, args, limit)
	case "PROTOCOL":
		return func(v Values) string { return v.Request.Proto }, nil
	case "RESPONSE_CODE":
		return func(v Values) string { return strconv.Itoa(v.Code) }, nil
	case "RESPONSE_FLAGS":
		return func(v Values) string { return flagsOr(v.Flags, "-") }, nil
	}
	return constant(whole), nil
}

func flagsOr(flags, otherwise string) string {
	if flags == "" {
		return otherwise
	}
	return flags
}

// compileHeaderCommand makes %REQ(name?other):length% ready: the first value of a
// header, or else that of another one, up to a length.
func compileHeaderCommand(command, args, limit string) (func(Values) string, error) {
	first, second, _ := strings.Cut(args, "?")
	if strings.Contains(second, "?") {
		return nil, fmt.Errorf("%s(%s): more than two headers", command, args)
	}
	if !headerNames.MatchString(args) {
		return nil, fmt.Errorf("%s(%s): invalid header name", command, args)
	}
	length := maxValue
	if limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil {
			return nil, fmt.Errorf("%s(%s): %w", command, args, err)
		}
		length = n
	}
	lookup := Values.requested
	if command == "RESP" {
		lookup = Values.responded
	}
	return func(v Values) string {
		value, ok := lookup(v, first)
		if !ok && second != "" {
			value, _ = lookup(v, second)
		}
		return value[:min(length, len(value))]
	}, nil
}

func (v Values) requested(name string) (string, bool) {
	switch r := v.Request; strings.ToLower(name) {
	case ":path":
		return r.URL.RequestURI(), true
	case ":authority", "host":
		return r.Host, true
	case ":method":
		return r.Method, true
	case ":scheme":
		return schemeOf(r), true
	default:
		return firstOf(r.Header, name)
	}
}

func (v Values) responded(name string) (string, bool) { return firstOf(v.Response, name) }

func firstOf(h http.Header, name string) (string, bool) {
	if all := h.Values(name); len(all) > 0 {
		return all[0], true
	}
	return "", false
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// badText tells what Envoy takes nowhere in its configuration.
func badText(s string) error {
	if strings.ContainsAny(s, "\x00\r\n") {
		return fmt.Errorf("a line break or a zero byte")
	}
	return nil
}
