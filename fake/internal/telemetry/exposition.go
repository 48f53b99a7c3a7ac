package telemetry

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"github.com/prometheus/common/model"
)

// WriteText writes all counters as they are now, in Prometheus' text format.
func (r *Recorder) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	r.expose(b, requestsTotal, "counter")
	r.expose(b, durationMetric, "histogram")
	return b.Flush()
}

// expose writes the series of one metric; those of a histogram have suffixes.
func (r *Recorder) expose(b *bufio.Writer, name, kind string) {
	fmt.Fprintf(b, "# TYPE %s %s\n", name, kind)
	family := selector{name: name}
	if kind == "histogram" {
		family = selector{matchers: []matcher{{model.MetricNameLabel, func(s string) bool { return s != requestsTotal }}}}
	}
	for _, s := range r.counters.all {
		s.spell(family, func(metric model.Metric, value func(*reading) float64) {
			b.WriteString(metric.String() + " " + strconv.FormatFloat(value(&s.now), 'g', -1, 64) + "\n")
		})
	}
}
