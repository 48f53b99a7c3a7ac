package metrics

import (
	"fmt"
	"strconv"
	"time"
)

// Signal says which requests are bad. It is comparable. The zero value is HTTPErrors().
//
// If the client disconnects before the answer (response code "0", flag DC), that is not
// an error of the version: the request counts as good.
type Signal struct {
	kind kind
	// least and most are the first and the last bad status code of an httpStatus.
	least, most int
	bound       time.Duration
}

type kind uint8

const (
	httpErrors kind = iota
	httpStatus
	grpcErrors
	latency
)

// HTTPErrors returns a Signal for which a request is bad if its status is 500 to 599.
func HTTPErrors() Signal { return Signal{} }

// HTTPStatus returns a Signal for which a request is bad if its status is least to most.
// HTTPStatus(400, 599) includes client errors.
func HTTPStatus(least, most int) Signal {
	return Signal{kind: httpStatus, least: least, most: most}
}

// GRPCErrors returns a Signal for gRPC calls only. A call is bad if its gRPC status is
// not 0. It is also bad if its HTTP status is not 200, because then it has no gRPC
// status.
func GRPCErrors() Signal { return Signal{kind: grpcErrors} }

// SlowerThan returns a Signal for which a request is bad if it took longer than bound.
// The mesh keeps a histogram, so bound must be the bound of a bucket. Istio's default
// bounds are 0.5, 1, 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10, 30 s, 1, 5, 10, 30
// min and 1 h. The annotation sidecar.istio.io/statsHistogramBuckets changes them.
func SlowerThan(bound time.Duration) Signal { return Signal{kind: latency, bound: bound} }

// Bound returns the bound of SlowerThan and true, or false for any other Signal.
func (s Signal) Bound() (time.Duration, bool) { return s.bound, s.kind == latency }

// GRPC reports whether the Signal counts gRPC calls only.
func (s Signal) GRPC() bool { return s.kind == grpcErrors }

// Failed reports whether a request with these values of the labels response_code and
// grpc_response_status is bad. It is always false for SlowerThan, which does not depend
// on these labels.
func (s Signal) Failed(responseCode, grpcStatus string) bool {
	const clientLeft = "0"
	if s.kind == latency || responseCode == clientLeft {
		return false
	}
	if s.kind == grpcErrors {
		return responseCode != "200" || grpcStatus != "0"
	}
	least, most := 500, 599
	if s.kind == httpStatus {
		least, most = s.least, s.most
	}
	code, err := strconv.Atoi(responseCode)
	return err == nil && least <= code && code <= most
}

// String describes the bad requests: "5xx answers", "gRPC errors", "requests slower than
// 250ms".
func (s Signal) String() string {
	switch s.kind {
	case httpErrors:
		return "5xx answers"
	case httpStatus:
		return fmt.Sprintf("answers %d to %d", s.least, s.most)
	case grpcErrors:
		return "gRPC errors"
	default:
		return fmt.Sprintf("requests slower than %v", s.bound)
	}
}

func (s Signal) validate() error {
	if s.kind == httpStatus && (s.least < 100 || s.most > 599 || s.least > s.most) {
		return fmt.Errorf("status %d to %d: want a range within 100 to 599", s.least, s.most)
	}
	if s.kind == latency && s.bound <= 0 {
		return fmt.Errorf("slower than %v: want a time above zero", s.bound)
	}
	return nil
}

// Bounds returns the default bounds of Istio's histogram of request durations, in
// increasing order.
func Bounds() []time.Duration {
	const ms, s, m = time.Millisecond, time.Second, time.Minute
	return []time.Duration{
		ms / 2, ms, 5 * ms, 10 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 500 * ms,
		s, 2500 * ms, 5 * s, 10 * s, 30 * s, m, 5 * m, 10 * m, 30 * m, time.Hour,
	}
}
