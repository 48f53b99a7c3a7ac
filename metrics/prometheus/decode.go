package prometheus

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/common/model"

	"github.com/serin-go/serin/metrics"
)

// asMatrix returns the answer to selector as what it must be.
func asMatrix(answer model.Value) (model.Matrix, error) {
	matrix, ok := answer.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("%w: the answer is a %T, not a matrix", metrics.ErrNotCounter, answer)
	}
	for _, stream := range matrix {
		if len(stream.Histograms) > 0 {
			return nil, fmt.Errorf("%w: %s holds native histograms", metrics.ErrNotCounter, stream.Metric)
		}
	}
	return matrix, nil
}

// decode returns the counters in the matrix: once for each bound, or once if there are no
// bounds.
func decode(matrix model.Matrix, q metrics.Query, bounds []time.Duration, n metrics.Names) ([][]metrics.Series, error) {
	if len(bounds) > 0 {
		return decodeBuckets(matrix, bounds, n)
	}
	requests, err := decodeRequests(matrix, q.Signal, n)
	return [][]metrics.Series{requests}, err
}

// decodeRequests returns a counter for each series of requests. The labels say whether
// its requests are good or bad.
func decodeRequests(matrix model.Matrix, signal metrics.Signal, n metrics.Names) ([]metrics.Series, error) {
	code, status := model.LabelName(n.ResponseCode), model.LabelName(n.GRPCStatus)
	answered, withStatus := 0, 0
	all := make([]metrics.Series, 0, len(matrix))
	for _, stream := range matrix {
		labels := stream.Metric
		if labels[code] == "" {
			return nil, fmt.Errorf("%w: %s has no label %s", metrics.ErrNoLabel, labels, code)
		}
		if labels[code] == "200" {
			answered++
		}
		if labels[status] != "" {
			withStatus++
		}
		failed := signal.Failed(string(labels[code]), string(labels[status]))
		all = append(all, requests(stream, string(labels[model.LabelName(n.Instance)]), failed))
	}
	if signal.GRPC() && answered > 0 && withStatus == 0 {
		return nil, fmt.Errorf("%w: no series has the label %s", metrics.ErrNoLabel, status)
	}
	return all, nil
}

func requests(stream *model.SampleStream, target string, failed bool) metrics.Series {
	s := metrics.Series{Target: target, Samples: make([]metrics.Sample, len(stream.Values))}
	for i, pair := range stream.Values {
		total := float64(pair.Value)
		s.Samples[i] = metrics.Sample{At: pair.Timestamp.Time(), Total: total, Good: total}
		if failed {
			s.Samples[i].Good = 0
		}
	}
	return s
}

// histogram holds the needed buckets of one histogram. One answer may spell the bucket of
// a bound in two ways, each for another period.
type histogram struct {
	target string
	all    []model.SamplePair
	within map[time.Duration]map[model.Time]model.SampleValue
}

// decodeBuckets returns, for each bound, a counter for each histogram: all requests, and
// the requests within the bound as the good ones.
func decodeBuckets(matrix model.Matrix, bounds []time.Duration, n metrics.Names) ([][]metrics.Series, error) {
	histograms := make(map[model.Fingerprint]*histogram)
	var order []*histogram
	for _, stream := range matrix {
		labels := stream.Metric.Clone()
		delete(labels, model.BucketLabel)
		h := histograms[labels.Fingerprint()]
		if h == nil {
			h = &histogram{
				target: string(labels[model.LabelName(n.Instance)]),
				within: make(map[time.Duration]map[model.Time]model.SampleValue, len(bounds)),
			}
			histograms[labels.Fingerprint()] = h
			order = append(order, h)
		}
		if err := h.add(stream, bounds); err != nil {
			return nil, fmt.Errorf("%w: %s", err, stream.Metric)
		}
	}
	all := make([][]metrics.Series, len(bounds))
	for i, bound := range bounds {
		for _, h := range order {
			s := h.series(bound)
			if len(s.Samples) == 0 {
				return nil, fmt.Errorf("%w: %g ms, at %q", metrics.ErrNoBucket, milliseconds(bound), h.target)
			}
			all[i] = append(all[i], s)
		}
	}
	return all, nil
}

// add adds the series of a bucket.
func (h *histogram) add(stream *model.SampleStream, bounds []time.Duration) error {
	le, err := strconv.ParseFloat(string(stream.Metric[model.BucketLabel]), 64)
	if err == nil && math.IsInf(le, 1) {
		if h.all != nil {
			return metrics.ErrManySeries
		}
		h.all = stream.Values
		return nil
	}
	i := slices.IndexFunc(bounds, func(bound time.Duration) bool { return err == nil && le == milliseconds(bound) })
	if i < 0 {
		return fmt.Errorf("%w: unexpected bucket", metrics.ErrNotCounter)
	}
	within := h.within[bounds[i]]
	if within == nil {
		within = make(map[model.Time]model.SampleValue, len(stream.Values))
		h.within[bounds[i]] = within
	}
	for _, pair := range stream.Values {
		if _, taken := within[pair.Timestamp]; taken {
			return metrics.ErrManySeries
		}
		within[pair.Timestamp] = pair.Value
	}
	return nil
}

// series pairs the readings of all requests with those within the bound. Readings without
// a counterpart are dropped.
func (h *histogram) series(bound time.Duration) metrics.Series {
	s := metrics.Series{Target: h.target}
	for _, pair := range h.all {
		if good, ok := h.within[bound][pair.Timestamp]; ok {
			s.Samples = append(s.Samples, metrics.Sample{
				At: pair.Timestamp.Time(), Total: float64(pair.Value), Good: float64(good),
			})
		}
	}
	return s
}
