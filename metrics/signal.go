package metrics

import (
	"fmt"
	"strconv"
	"time"
)

// Signal says which requests are bad. It is comparable. The zero value is
// HTTPErrors().
//
// A client that leaves before the answer (response code "0", flag DC) is not an
// error of the version: such a request counts as one, and not as a bad one.
type Signal struct {
	kind kind
	// least and most are the bad status codes of an httpStatus.
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

// HTTPErrors returns the Signal by which a request is bad if it was answered
// with a status of 500 to 599.
func HTTPErrors() Signal { return Signal{} }

// HTTPStatus returns the Signal by which a request is bad if it was answered
// with a status from least to most: HTTPStatus(400, 599) counts client errors as
// well.
func HTTPStatus(least, most int) Signal {
	return Signal{kind: httpStatus, least: least, most: most}
}

// GRPCErrors returns the Signal that looks at gRPC calls only. A call is bad if
// its gRPC status is not 0, or if it was answered with an HTTP status other than
// 200, and so has no gRPC status.
func GRPCErrors() Signal { return Signal{kind: grpcErrors} }

// SlowerThan returns the Signal by which a request is bad if it took longer than
// bound. The mesh keeps a histogram, so the bound must be that of a bucket.
// Istio's are 0.5, 1, 5, 10, 25, 50, 100, 250, 500 ms, 1, 2.5, 5, 10, 30 s, 1, 5,
// 10, 30 min and 1 h, unless changed by the annotation
// sidecar.istio.io/statsHistogramBuckets.
func SlowerThan(bound time.Duration) Signal { return Signal{kind: latency, bound: bound} }

// Bound returns the bound of SlowerThan, and false for other Signals.
func (s Signal) Bound() (time.Duration, bool) { return s.bound, s.kind == latency }

// GRPC reports whether the Signal looks at gRPC calls only.
func (s Signal) GRPC() bool { return s.kind == grpcErrors }

// Failed reports whether a request with these values of the labels response_code
// and grpc_response_status is bad. It is false for SlowerThan, which looks at
// neither.
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

// String names bad requests: "5xx answers", "gRPC errors", "requests slower
// than 250ms".
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

// Bounds returns the bounds of the histogram that Istio's proxies keep unless told
// otherwise, in order.
func Bounds() []time.Duration {
	const ms, s, m = time.Millisecond, time.Second, time.Minute
	return []time.Duration{
		ms / 2, ms, 5 * ms, 10 * ms, 25 * ms, 50 * ms, 100 * ms, 250 * ms, 500 * ms,
		s, 2500 * ms, 5 * s, 10 * s, 30 * s, m, 5 * m, 10 * m, 30 * m, time.Hour,
	}
}
