package fake

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

// Metrics returns a handler that writes all counters as they are now, in
// Prometheus' text format, as a proxy does.
func (m *Mesh) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		now := time.Now()
		m.advance(now)
		m.flowUntil(now)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		b := bufio.NewWriter(w)
		defer b.Flush()
		m.expose(b, requestsTotal, "counter")
		m.expose(b, durationMetric, "histogram")
	})
}

// expose writes the series of one metric; those of a histogram have suffixes.
func (m *Mesh) expose(b *bufio.Writer, name, kind string) {
	fmt.Fprintf(b, "# TYPE %s %s\n", name, kind)
	family := selector{name: name}
	if kind == "histogram" {
		family = selector{matchers: []matcher{{model.MetricNameLabel, func(s string) bool { return s != requestsTotal }}}}
	}
	for _, s := range m.counters.all {
		s.spell(family, func(metric model.Metric, value func(*reading) float64) {
			b.WriteString(metric.String() + " " + strconv.FormatFloat(value(&s.now), 'g', -1, 64) + "\n")
		})
	}
}
