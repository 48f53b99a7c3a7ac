package telemetry

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/common/model"
)

const (
	requestsTotal   = "istio_requests_total"
	durationMetric  = "istio_request_duration_milliseconds"
	instantLookback = 5 * time.Minute
)

// API returns a handler that answers like the HTTP API of a Prometheus server: GET
// and POST of /api/v1/query with an instant or a range selector. Anything else is
// answered 422 with an error of the API's form; functions and operators are not
// simulated. The handler reads the Recorder through look alone, which brings the
// Recorder up to date and keeps others away meanwhile.
func API(look func(at func(*Recorder))) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/query", func(w http.ResponseWriter, r *http.Request) { query(look, w, r) })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, http.StatusUnprocessableEntity, "execution", r.URL.Path+" is not simulated")
	})
	return mux
}

func query(look func(func(*Recorder)), w http.ResponseWriter, r *http.Request) {
	at, err := instantOf(r.FormValue("time"), time.Now())
	if err != nil {
		refuse(w, http.StatusBadRequest, "bad_data", "invalid parameter \"time\": "+err.Error())
		return
	}
	s, err := parseSelector(r.FormValue("query"))
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, "execution", "not simulated: "+err.Error())
		return
	}
	if s.over == 0 {
		var vector model.Vector
		look(func(r *Recorder) { vector = r.vector(s, at) })
		answerQuery(w, model.ValVector, vector)
		return
	}
	var matrix model.Matrix
	look(func(r *Recorder) { matrix = r.matrix(s, at) })
	answerQuery(w, model.ValMatrix, matrix)
}

// instantOf reads the time of a query: seconds since 1970, RFC 3339, or nothing
// for now.
func instantOf(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return now, nil
	}
	if seconds, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(seconds) < 1e12 {
		return time.UnixMilli(int64(math.Round(seconds * 1000))), nil
	}
	return time.Parse(time.RFC3339Nano, s)
}

func answerQuery(w http.ResponseWriter, kind model.ValueType, result any) {
	send(w, http.StatusOK, map[string]any{
		"status": "success",
		"data":   map[string]any{"resultType": kind.String(), "result": result},
	})
}

func refuse(w http.ResponseWriter, code int, kind, message string) {
	send(w, code, map[string]any{"status": "error", "errorType": kind, "error": message})
}

func send(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // a client that left needs no answer
}

// matrix returns the readings in the range of a selector, up to and including
// at.
func (r *Recorder) matrix(s selector, at time.Time) model.Matrix {
	rows := r.history.between(at.Add(-s.over), at)
	result := model.Matrix{}
	for i, one := range r.counters.all {
		one.spell(s, func(metric model.Metric, value func(*reading) float64) {
			stream := &model.SampleStream{Metric: metric}
			for _, row := range rows {
				if i < len(row.readings) {
					stream.Values = append(stream.Values, model.SamplePair{
						Timestamp: model.TimeFromUnixNano(row.at.UnixNano()),
						Value:     model.SampleValue(value(&row.readings[i])),
					})
				}
			}
			if len(stream.Values) > 0 {
				result = append(result, stream)
			}
		})
	}
	return result
}

// vector returns the last readings, at most five minutes old, as of at.
func (r *Recorder) vector(s selector, at time.Time) model.Vector {
	s.over = instantLookback
	result := model.Vector{}
	for _, stream := range r.matrix(s, at) {
		result = append(result, &model.Sample{
			Metric:    stream.Metric,
			Value:     stream.Values[len(stream.Values)-1].Value,
			Timestamp: model.TimeFromUnixNano(at.UnixNano()),
		})
	}
	return result
}

// spell calls f for every Prometheus series of s that the selector wants, with
// the way to read its value.
func (s *series) spell(want selector, f func(model.Metric, func(*reading) float64)) {
	try := func(name string, labels []pair, value func(*reading) float64) {
		if want.holds(name, labels) {
			f(metricOf(name, labels), value)
		}
	}
	try(requestsTotal, s.labels, func(r *reading) float64 { return float64(r.requests) })
	try(durationMetric+"_count", s.labels, func(r *reading) float64 { return float64(r.requests) })
	try(durationMetric+"_sum", s.labels, func(r *reading) float64 { return r.sum })
	for i := range len(Bounds) + 1 {
		try(durationMetric+"_bucket", append(s.labels[:len(s.labels):len(s.labels)], pair{model.BucketLabel, boundText(i)}),
			func(r *reading) float64 { return float64(r.buckets.UpTo(i)) })
	}
}

func boundText(bucket int) string {
	if bucket == len(Bounds) {
		return "+Inf"
	}
	return strconv.FormatFloat(Bounds[bucket], 'f', -1, 64)
}

func metricOf(name string, labels []pair) model.Metric {
	metric := model.Metric{model.MetricNameLabel: model.LabelValue(name)}
	for _, p := range labels {
		metric[model.LabelName(p.name)] = model.LabelValue(p.value)
	}
	return metric
}
