package prometheus

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/serin-go/serin/metrics"
)

// Selector returns the PromQL for the raw readings of the query's counters over a period:
// a range selector without a function. Empty names in n mean Istio's. Label values are
// matched exactly. A period below 1 ms counts as 1 ms.
//
// The error is that of Query.Validate or Names.Validate.
func Selector(q metrics.Query, n metrics.Names, over time.Duration) (string, error) {
	return selector(q, boundsOf(q.Signal), n, over)
}

// boundsOf returns the bound of a Signal, if it has one.
func boundsOf(s metrics.Signal) []time.Duration {
	if bound, ok := s.Bound(); ok {
		return []time.Duration{bound}
	}
	return nil
}

// selector selects requests, or buckets if there are bounds.
func selector(q metrics.Query, bounds []time.Duration, n metrics.Names, over time.Duration) (string, error) {
	if err := q.Validate(); err != nil {
		return "", err
	}
	if err := n.Validate(); err != nil {
		return "", err
	}
	n = n.OrStandard()
	metric := n.Requests
	matchers := []string{equal(n.Reporter, q.Reporter.String())}
	add := func(label, value string) {
		if value != "" {
			matchers = append(matchers, equal(label, value))
		}
	}
	add(n.Workload, q.Arm.Workload)
	add(n.Namespace, q.Arm.Namespace)
	add(n.Revision, q.Arm.Revision)
	add(n.Service, q.Arm.Service)
	if q.Signal.GRPC() {
		add(n.Protocol, "grpc")
	}
	if len(bounds) > 0 {
		metric = n.Duration + "_bucket"
		matchers = append(matchers, "le=~"+strconv.Quote(boundsPattern(bounds)))
	}
	return selecting(metric, matchers, over), nil
}

func selecting(metric string, matchers []string, over time.Duration) string {
	window := model.Duration(max(over, time.Millisecond)).String()
	return metric + "{" + strings.Join(matchers, ",") + "}[" + window + "]"
}

func equal(label, value string) string { return label + "=" + strconv.Quote(value) }

// boundsPattern matches the buckets of the bounds as Prometheus 2 and 3 write them, and
// the bucket of all requests. Prometheus anchors patterns itself.
func boundsPattern(bounds []time.Duration) string {
	var forms []string
	for _, bound := range bounds {
		forms = append(forms, boundForms(bound)...)
	}
	for i, form := range forms {
		forms[i] = regexp.QuoteMeta(form)
	}
	return strings.Join(append(forms, `\+Inf`), "|")
}

// boundForms returns the spellings of a bound. Version 2 keeps the proxy's text, "100" or
// "1800000"; version 3 writes a float, "100.0" or "1.8e+06".
func boundForms(bound time.Duration) []string {
	ms := milliseconds(bound)
	plain := strconv.FormatFloat(ms, 'f', -1, 64)
	short := strconv.FormatFloat(ms, 'g', -1, 64)
	forms := []string{plain}
	if !strings.Contains(plain, ".") {
		forms = append(forms, plain+".0")
	}
	if short != plain {
		forms = append(forms, short)
	}
	return forms
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
